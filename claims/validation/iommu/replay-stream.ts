/**
 * One stream in one mode: each operation through the guest's driver, counts per phase, compared.
 */
import { type FrameRun, iommuMap, iommuUnmap } from "../../../linux/iommu/core.ts";
import type { Comparison, Difference } from "../compare.ts";
import { type ApiCalls, countsOf, namesOf, type StreamCounts } from "./counts.ts";
import type { StreamOp, StreamPhase } from "./stream.ts";
import { createWorld, type StreamMode } from "./worlds.ts";

/**
 * Frames behind a range that the stream says nothing of but whether large leaves fit: then they follow each other and
 * lie in their 2 MiB as the range does in its, but not so in 1 GiB; else no two follow each other.
 */
function framesFor(page: number, pages: number, isLarge: boolean): FrameRun[] {
  if (isLarge) return [{ frame: page + 512, pages }];
  return Array.from({ length: pages }, (_, i) => ({ frame: 2 * (page + i) + 1, pages: 1 }));
}

export function replayStream(phases: readonly StreamPhase[], mode: StreamMode): Comparison {
  const world = createWorld(mode);
  const calls: ApiCalls = { map: 0, unmap: 0 };
  const perform = (op: StreamOp) => {
    if (op[0] === "map") {
      const [, page, pages, large] = op;
      calls.map += 1;
      iommuMap(world.domain, page, framesFor(page, pages, large === 1), "read-write");
    } else {
      calls.unmap += 1;
      iommuUnmap(world.domain, op[1], op[2]);
    }
  };
  const differences: Difference[] = [];
  const unknown = new Set<string>();
  let compared = 0;
  for (const { w, p, ops, expect } of phases) {
    const before = countsOf(world, calls);
    ops.forEach(perform);
    const expected = expect?.[mode];
    if (expected === undefined) continue;
    const after = countsOf(world, calls);
    for (const [counter, value] of comparedValues(expected, mode)) {
      const got = valueOf(counter, after, before);
      if (got === undefined) {
        unknown.add(counter);
        continue;
      }
      compared += 1;
      if (got !== value) differences.push({ phase: `${w} ${p}`, counter, expected: value, got });
    }
  }
  return { compared, differences, unknownCounters: [...unknown] };
}

/**
 * What the stream states, and 0 for what it leaves out. But for `t_map`: an operation may be a map of a scatter list,
 * which Linux does without the call that `t_map` counts, and the stream does not say which it is.
 */
function comparedValues(expected: StreamCounts, mode: StreamMode): [string, number][] {
  const absent = namesOf(mode).filter((name) => !(name in expected));
  return [...Object.entries(expected), ...absent.map((name): [string, number] => [name, 0])];
}

function valueOf(counter: string, after: StreamCounts, before: StreamCounts): number | undefined {
  const now = after[counter];
  return now === undefined ? undefined : now - (before[counter] ?? 0);
}
