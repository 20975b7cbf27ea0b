/**
 * Scalable mode's tables: a device and a PASID (process address space id) lead to one of four ways to translate.
 *
 * Root entries name two context tables of 128 entries of 32 bytes; a context entry names a PASID directory (8 bytes per 64
 * PASIDs), that names PASID tables of 64 entries of 64 bytes. Requests without PASID use the one that the context entry
 * gives them (0 in Linux).
 *
 * Source: VT-d specification 9.2 "Scalable-Mode Root Entry", 9.4 "Scalable-Mode Context Entry", 9.5, 9.6.
 */
import { frameOf } from "../formats/x86-entry.ts";
import type { QueueMemory } from "./queue-memory.ts";

/** PGTT: which tables translate. */
export type PasidTranslation = "first-level" | "second-level" | "nested" | "pass-through";
const translations: readonly PasidTranslation[] = [
  "first-level",
  "second-level",
  "nested",
  "pass-through",
];

export interface PasidEntry {
  readonly translation: PasidTranslation;
  readonly domain: number;
  /** Root of first-level tables, a guest frame when nested. */
  readonly first: number;
  readonly firstLevels: 4 | 5;
  readonly second: number;
  readonly secondLevels: number;
  /** SSADE: silicon sets A and D in second-level entries. */
  readonly secondMarks: boolean;
}

const PRESENT = 1;
const contextWordsEach = 4;
const pasidWordsEach = 8;

const pointer = (frame: number, bits: number): [number, number] => [
  (frame << 12) | bits,
  Math.floor(frame / 0x10_0000),
];

function present(memory: QueueMemory, table: number, index: number): number | null {
  const low = memory.readLow(table, index);
  return (low & PRESENT) === 0 ? null : frameOf(low, memory.readHigh(table, index));
}

/** Which half of the root entry, and the device's entry in its context table. */
const rootIndex = (source: number) => 2 * (source >>> 8) + ((source & 0x80) === 0 ? 0 : 1);
const contextIndex = (source: number) => contextWordsEach * (source & 0x7f);

/** One memory reference: the context table of `source`. */
export function readScalableRoot(memory: QueueMemory, root: number, source: number): number | null {
  return present(memory, root, rootIndex(source));
}

/** One memory reference: the PASID directory of `source`. */
export function readScalableContext(
  memory: QueueMemory,
  table: number,
  source: number,
): number | null {
  return present(memory, table, contextIndex(source));
}

/** One memory reference: the PASID table. */
export function readDirectory(
  memory: QueueMemory,
  directory: number,
  pasid: number,
): number | null {
  return present(memory, directory, pasid >>> 6);
}

/** One memory reference: the PASID's entry. */
export function readPasid(memory: QueueMemory, table: number, pasid: number): PasidEntry | null {
  const index = pasidWordsEach * (pasid & 63);
  const low = memory.readLow(table, index);
  if ((low & PRESENT) === 0) return null;
  const translation = translations[((low >>> 6) & 7) - 1];
  if (translation === undefined) return null;
  const third = memory.readLow(table, index + 2);
  return {
    translation,
    domain: memory.readLow(table, index + 1) & 0xffff,
    first: frameOf(third, memory.readHigh(table, index + 2)),
    firstLevels: (third & 0xc) === 0 ? 4 : 5,
    second: frameOf(low, memory.readHigh(table, index)),
    secondLevels: ((low >>> 2) & 7) + 2,
    secondMarks: (low & 0x200) !== 0,
  };
}

/** Writes what leads from `source` to `table`: root entry, context entry, directory entry. */
export interface ScalablePath {
  readonly root: number;
  readonly contextTable: number;
  readonly directory: number;
  readonly pasidTable: number;
}

export function writePath(memory: QueueMemory, source: number, pasid: number, path: ScalablePath) {
  memory.write(path.root, rootIndex(source), ...pointer(path.contextTable, PRESENT));
  memory.write(path.contextTable, contextIndex(source), ...pointer(path.directory, PRESENT));
  memory.write(path.directory, pasid >>> 6, ...pointer(path.pasidTable, PRESENT));
}

export function writePasid(
  memory: QueueMemory,
  table: number,
  pasid: number,
  entry: PasidEntry | null,
): void {
  const index = pasidWordsEach * (pasid & 63);
  if (entry === null) {
    memory.write(table, index, 0, 0);
    return;
  }
  const { first, firstLevels, second, secondLevels, secondMarks, domain, translation } = entry;
  memory.write(table, index + 2, ...pointer(first, firstLevels === 4 ? 0 : 4));
  memory.write(table, index + 1, domain, 0);
  const kind = translations.indexOf(translation) + 1;
  const marks = secondMarks ? 0x200 : 0;
  // The half with P last.
  memory.write(
    table,
    index,
    ...pointer(second, (kind << 6) | ((secondLevels - 2) << 2) | marks | PRESENT),
  );
}
