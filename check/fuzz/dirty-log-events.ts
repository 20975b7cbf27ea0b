/**
 * What a host does to a dirty log, at random: on from `start` to the end of memory, off, mostly gets, and
 * clears of an eighth of memory or more.
 */
import type { Prng } from "../../guest/prng.ts";
import type { Gfn } from "../../machine/address.ts";
import type { TraceHostEvent } from "../../workloads/trace/ops.ts";
import { memoryFrames } from "./guest-image.ts";

const parts = 8;

/** One draw, so that the rest of a seed's program does not depend on which event this is. */
export function anyDirtyLogEvent(prng: Prng, start: Gfn): TraceHostEvent {
  const draw = prng.below(6 * parts);
  const choice = Math.floor(draw / parts);
  if (choice === 0) return { kind: "dirty-log-on", start, frames: memoryFrames - start };
  if (choice === 1) return { kind: "dirty-log-off" };
  if (choice > 2) return { kind: "dirty-log-get" };
  const first = Math.floor((memoryFrames * (draw % parts)) / parts);
  return { kind: "dirty-log-clear", start: first as Gfn, frames: memoryFrames - first };
}
