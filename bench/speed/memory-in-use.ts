/**
 * What this process keeps in memory, garbage collected first.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface MemoryInUse {
  /** JavaScript objects. */
  readonly heapBytes: number;
  /** Everything that the process holds in main memory: RSS. */
  readonly residentBytes: number;
}

let collect: (() => void) | null = null;

/** Collects garbage, so that two values differ by what is kept. */
export function memoryInUse(): MemoryInUse {
  if (collect === null) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, residentBytes: rss };
}
