/**
 * What a host that is short of memory does to a guest, drawn at random: snapshots, merging, limits.
 *
 * A limit is never so small that one instruction's tables and pages do not fit.
 */
import type { Gfn } from "../../machine/address.ts";
import type { TraceHostEvent } from "../../workloads/trace/ops.ts";
import { firstData, memoryFrames } from "./guest-image.ts";
import type { GuestScript } from "./guest-script.ts";

export function sharingEvent({ prng }: GuestScript): TraceHostEvent {
  const choice = prng.below(8);
  if (choice < 3) {
    const start = (prng.chance(70) ? 0 : firstData + prng.below(32)) as Gfn;
    return { kind: "snapshot", start, frames: memoryFrames - start };
  }
  if (choice === 3) return { kind: "snapshot-drop" };
  if (choice < 6) return { kind: "merge" };
  return { kind: "memory-limit", frames: prng.chance(50) ? memoryFrames : 128 + prng.below(200) };
}
