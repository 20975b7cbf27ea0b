/**
 * A program's label in words: `uniform, 32 MiB, 2 MiB guest pages` for `uniform pages=8192 2m`.
 */
import { pageSizeWords } from "../bench/results/result.ts";
import type { Case } from "./cases.ts";

/** Parameters that are numbers of 4 KiB pages: how much memory the program uses. */
const sizes: ReadonlySet<string> = new Set(["pages", "leaves"]);
const pageKib = 4;

/** Switches, by value. */
const switches: Readonly<Record<string, readonly [off: string, on: string]>> = {
  kpti: ["no KPTI", "KPTI"],
  pcid: ["no PCID", "PCID"],
  usedMemory: ["fresh host memory", "used host memory"],
};

export function programWords({ workload, told }: Pick<Case, "workload" | "told">): string {
  const name = workload.replace(/^trace[:-]/, "");
  const params = Object.entries(told).map(([param, value]) => paramWords(param, value));
  return [name, ...params].join(", ");
}

function paramWords(name: string, value: number | string): string {
  if (name === "pageSize")
    return `${value === "2m" ? pageSizeWords["2m"] : pageSizeWords["4k"]} guest pages`;
  if (typeof value === "string") return value;
  const states = switches[name];
  if (states !== undefined) return states[value === 0 ? 0 : 1];
  if (sizes.has(name)) return byteWords(value * pageKib);
  return `${value} ${wordsOf(name)}`;
}

/** `cyclesPerAccess`: cycles per access. */
export function wordsOf(camelCase: string): string {
  return camelCase
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/\b[A-Z](?=[a-z])/g, (letter) => letter.toLowerCase());
}

function byteWords(kib: number): string {
  const units = ["KiB", "MiB", "GiB"];
  let value = kib;
  let unit = 0;
  while (value >= 1024 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  if (value >= 1024 && unit === 0) return `${Number((value / 1024).toPrecision(3))} MiB`;
  return `${value} ${units[unit] ?? ""}`;
}
