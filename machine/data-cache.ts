/**
 * The data caches that walk references go through: where a line was decides what reading it costs.
 *
 * Three levels with true LRU; a line read is brought into every level. Counts only; prices come later.
 *
 * Model: only walk references use the caches. A program's own data would evict table lines, so walks come
 * out cheaper than they are, most of all walks with many references. Bias: for EPT.
 */
import type { DataCacheLevel, Preset } from "./presets.ts";

/** Where a line was found, as an index into the counts: L1, L2, last level, DRAM. */
export type LinePlace = 0 | 1 | 2 | 3;

interface Level {
  readonly mask: number;
  readonly ways: number;
  /** Line number + 1 by set and way; 0 is empty. */
  readonly lines: Int32Array;
  readonly ages: Int32Array;
}

export interface DataCache {
  /** Reads the line with this number (HPA / 64). */
  reference(line: number): LinePlace;
  /** Every line is forgotten. */
  reset(): void;
}

export function createDataCache({ l1, l2, llc }: NonNullable<Preset["dataCache"]>): DataCache {
  const levels = [l1, l2, llc].map(emptyLevel);
  let now = 0;

  /** True on a hit; on a miss the line replaces the least recently used one. */
  function lookUp({ mask, ways, lines, ages }: Level, line: number): boolean {
    const base = (line & mask) * ways;
    let victim = base;
    for (let way = base; way < base + ways; way++) {
      if (lines[way] === line + 1) {
        ages[way] = now;
        return true;
      }
      if (ages[way]! < ages[victim]!) victim = way;
    }
    lines[victim] = line + 1;
    ages[victim] = now;
    return false;
  }

  /** Ages are 31 bits wide; when they run out, everything counts as equally old. */
  function advance(): void {
    if (now < 0x7fff_ffff) now += 1;
    else {
      now = 1;
      for (const { ages } of levels) ages.fill(0);
    }
  }

  return {
    reference(line) {
      advance();
      let place: LinePlace = 0;
      for (const level of levels) {
        if (lookUp(level, line)) break;
        place = (place + 1) as LinePlace;
      }
      return place;
    },
    reset() {
      now = 0;
      for (const { lines, ages } of levels) {
        lines.fill(0);
        ages.fill(0);
      }
    },
  };
}

function emptyLevel({ sets, ways }: DataCacheLevel): Level {
  const entries = sets * ways;
  return { mask: sets - 1, ways, lines: new Int32Array(entries), ages: new Int32Array(entries) };
}
