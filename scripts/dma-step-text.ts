/** One mapping step by step, for a terminal. */
import type { SteppedDma } from "../host/dma/step-dma.ts";

export function steppedText({ scheme, title, steps }: SteppedDma): string {
  const lines = [`${scheme}: ${title}`];
  for (const { what, lines: within } of steps) {
    lines.push(`  ${what}`);
    if (within.length === 0) lines.push("    nothing else happens");
    for (const { actor, text } of within) lines.push(`    ${actor.padEnd(11)} ${text}`);
  }
  return lines.join("\n");
}
