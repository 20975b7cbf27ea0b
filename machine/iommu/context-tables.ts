/**
 * Root and context tables: from a device's number to its domain's tables.
 *
 * A device is known by 16 bits: bus (8) and device and function (8). The root table has an entry of 16 bytes per bus, each
 * naming a context table with an entry of 16 bytes per device and function.
 *
 *     127        88 87       72 71   67 66  64 63        12 11   4 3  2  1   0
 *     ...         | domain id | ...   | AW   | table frame | ...  | TT | FPD | P
 *
 * Source: VT-d specification 9.1 "Root Entry", 9.3 "Context Entry".
 */
import { frameOf } from "../formats/x86-entry.ts";
import type { QueueMemory } from "./queue-memory.ts";

/** What happens to a device's requests. */
export type TranslationType = "translate" | "translate-ats" | "pass-through";
const types: readonly TranslationType[] = ["translate", "translate-ats", "pass-through"];

export interface ContextEntry {
  readonly type: TranslationType;
  /** Root of its second-level tables; nothing to pass-through. */
  readonly table: number;
  readonly levels: number;
  readonly domain: number;
}

const PRESENT = 1;

/** AW: 1 is 3 levels (39 bits), 2 is 4, 3 is 5. */
const contextWords = ({ type, table, levels, domain }: ContextEntry) =>
  [
    (table << 12) | (types.indexOf(type) << 2) | PRESENT,
    Math.floor(table / 0x10_0000),
    (levels - 2) | (domain << 8),
    0,
  ] as const;

/** Root entry of `source`'s bus: the frame of the context table, or null. One memory reference. */
export function readRoot(memory: QueueMemory, root: number, source: number): number | null {
  const index = 2 * (source >>> 8);
  const low = memory.readLow(root, index);
  return (low & PRESENT) === 0 ? null : frameOf(low, memory.readHigh(root, index));
}

/** Context entry of `source` in its context table, or null. One memory reference. */
export function readContext(
  memory: QueueMemory,
  table: number,
  source: number,
): ContextEntry | null {
  const index = 2 * (source & 0xff);
  const low = memory.readLow(table, index);
  if ((low & PRESENT) === 0) return null;
  const second = memory.readLow(table, index + 1);
  return {
    type: types[(low >>> 2) & 3] ?? "translate",
    table: frameOf(low, memory.readHigh(table, index)),
    levels: (second & 7) + 2,
    domain: (second >>> 8) & 0xffff,
  };
}

/** Writes a root entry that names a context table. */
export function writeRoot(
  memory: QueueMemory,
  root: number,
  source: number,
  contextTable: number,
): void {
  const index = 2 * (source >>> 8);
  memory.write(root, index, (contextTable << 12) | PRESENT, Math.floor(contextTable / 0x10_0000));
}

/** Writes a context entry, or clears it. */
export function writeContext(
  memory: QueueMemory,
  table: number,
  source: number,
  entry: ContextEntry | null,
): void {
  const index = 2 * (source & 0xff);
  const [a, b, c, d] = entry === null ? [0, 0, 0, 0] : contextWords(entry);
  // The half with P comes last when it is set and first when it is cleared: nobody sees half an entry.
  if (entry === null) memory.write(table, index, a, b);
  memory.write(table, index + 1, c, d);
  if (entry !== null) memory.write(table, index, a, b);
}
