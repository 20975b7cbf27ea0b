/** What a scenario for devices shows, for a terminal. */
import type { Sight } from "../host/dma/scenario.ts";

export function scenarioText(name: string, title: string, sights: readonly Sight[]): string {
  const lines = sights.map(({ what, holds }) => `  ${holds ? "ok   " : "WRONG"} ${what}`);
  return [`${name}: ${title}`, ...lines].join("\n");
}
