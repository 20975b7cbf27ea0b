/**
 * The data caches: where a line was decides what reading it costs. Walk references go through them, and the program's
 * own lines where a preset says so, which push table lines out and have a price themselves.
 *
 * Three levels with true LRU; a line read is brought into every level. Counts only; prices come later.
 *
 * Model: an access is one line, a page that the kernel copies or zeroes as well, and what a hypervisor reads is none.
 * Bias: for shadow, whose hypervisor reads tables at every exit.
 */
import type { DataCacheLevel, DataCaches } from "./presets.ts";

/** Where a line was found, as an index into the counts: L1, L2, last level, DRAM, another node's DRAM. */
export type LinePlace = 0 | 1 | 2 | 3 | 4;

/** On which node a line of memory is; absent: there is one node. */
export type NodeOfLine = (line: number) => number;

/** How a level finds the set of a line. */
interface Sets {
  readonly mask: number;
  /** Bits of a set's number, or 0: the set is the line's low bits. */
  readonly hashBits: number;
}

interface Level extends Sets {
  readonly ways: number;
  /** Line number + 1 by set, in it the latest used first; 0 is empty. */
  readonly lines: Int32Array;
}

export interface DataCache {
  /** A walk reads the line with this number (HPA / 64). */
  reference(line: number): LinePlace;
  /** The program does. */
  access(line: number): LinePlace;
  /** The processor is on this node from now on, with caches of its own. */
  moveTo(node: number): void;
  /** Every line is forgotten, and the processor is on node 0. */
  reset(): void;
}

export function createDataCache(caches: DataCaches, nodeOf: NodeOfLine = () => 0): DataCache {
  const { pairPrefetch, hashesLlc } = caches;
  const llc = emptyLevel(caches.llc, hashesLlc);
  const [l1, l2] = [emptyLevel(caches.l1, false), emptyLevel(caches.l2, false)];
  const levels = [l1, l2, llc];
  let home = 0;

  /** True on a hit. The set's lines lie from the latest used on: each moves one place until the line is found, or is lost. */
  function lookUp(level: Level, line: number): boolean {
    const { ways, lines } = level;
    const base = Math.imul(setOf(level, line), ways);
    const tag = (line + 1) | 0;
    let moved = tag;
    for (let way = base; way < base + ways; way++) {
      const held = lines[way]!;
      lines[way] = moved;
      if (held === tag) return true;
      moved = held;
    }
    return false;
  }

  function reference(line: number): LinePlace {
    if (lookUp(l1, line)) return 0;
    if (lookUp(l2, line)) return 1;
    if (lookUp(llc, line)) return 2;
    return nodeOf(line) === home ? 3 : 4;
  }

  function moveTo(node: number): void {
    for (const { lines } of levels) lines.fill(0);
    home = node;
  }

  return {
    reference,
    access(line) {
      const place = reference(line);
      if (pairPrefetch && place > 1) {
        lookUp(l2, line ^ 1);
        lookUp(llc, line ^ 1);
      }
      return place;
    },
    moveTo,
    reset: () => moveTo(0),
  };
}

/** The last level's set that has the line with this number (HPA / 64): what whoever colours pages has to know. */
export function lastLevelSet({ llc, hashesLlc }: DataCaches, line: number): number {
  return setOf(setsOf(llc, hashesLlc), line);
}

function setOf({ mask, hashBits }: Sets, line: number): number {
  if (hashBits === 0) return line & mask;
  return (line ^ (line >>> hashBits) ^ (line >>> (2 * hashBits))) & mask;
}

function setsOf({ sets }: DataCacheLevel, isHashed: boolean): Sets {
  return { mask: sets - 1, hashBits: isHashed ? Math.log2(sets) : 0 };
}

function emptyLevel(level: DataCacheLevel, isHashed: boolean): Level {
  const { sets, ways } = level;
  return { ...setsOf(level, isHashed), ways, lines: new Int32Array(sets * ways) };
}
