/**
 * Small arithmetic that claims share.
 */
import type { Ledger, PointRow } from "./result.ts";

/** Events per 1000 guest accesses. */
export function perThousand({ counters }: PointRow, ...names: readonly (keyof Ledger)[]): number {
  const count = names.reduce((sum, name) => sum + counters[name], 0);
  return (1000 * count) / Math.max(1, counters.accesses);
}

/** What the guest asks of translation: entries changed, flushes, address-space loads. */
export function updatesPerThousand(row: PointRow): number {
  return perThousand(row, "pteStores", "invlpgs", "invpcids", "cr3Writes");
}

/** Walk references of both dimensions per walk. */
export function referencesPerWalk({ counters }: PointRow): number {
  const { walkReferencesGuest, walkReferencesNested, walks } = counters;
  return (walkReferencesGuest + walkReferencesNested) / Math.max(1, walks);
}

/** Cycles of all walks. */
export function walkCycles({ cycles }: PointRow): number {
  return cycles.walkGuest + cycles.walkNested + cycles.walkUpdates;
}

/** Cycles over those of another scheme. */
export function over(row: PointRow, other: PointRow): number {
  return row.cyclesTotal / other.cyclesTotal;
}

/** For ratios: half as fast and twice as fast cancel out. */
export function geometricMean(values: readonly number[]): number {
  const logarithms = values.reduce((sum, value) => sum + Math.log(value), 0);
  return Math.exp(logarithms / values.length);
}

/** A share in percent. */
export function percent(part: number, whole: number): number {
  return (100 * part) / whole;
}

/** Six significant digits: what a table needs. */
export function six(value: number): number {
  return Number(value.toPrecision(6));
}
