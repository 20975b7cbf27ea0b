/**
 * A policy holds for the host's own acts as well: a device's store to a locked frame is no better than the guest's,
 * and a balloon that takes one would give it back as zeros.
 */
import type { Gfn } from "../../machine/address.ts";
import type { FrameRange } from "../dirty/frame-ranges.ts";
import type { HostEvent } from "../host-events.ts";
import type { MemoryPolicy } from "./memory-policy.ts";
import type { Storer } from "./rules.ts";

/** False for a store of the VMM's that the policy denies, and for the end or move of a memslot with memory under a rule in it. */
export function mayWrite(policy: MemoryPolicy | null, event: HostEvent): boolean {
  if (event.kind === "write") return mayLose(policy, event.gfn, event.by ?? "device");
  if (policy === null || (event.kind !== "slot-delete" && event.kind !== "slot-move")) return true;
  const other = event.kind === "slot-move" ? framesIn({ ...event, start: event.to }) : [];
  return [...framesIn(event), ...other].every((gfn) => mayLose(policy, gfn, "reclaim"));
}

function framesIn({ start, frames }: FrameRange): Gfn[] {
  return Array.from({ length: frames }, (_, i) => (start + i) as Gfn);
}

/** The parts of a range that the host may take from the guest. */
export function allowedRanges(policy: MemoryPolicy | null, range: FrameRange): FrameRange[] {
  if (policy === null) return [range];
  const allowed = framesIn(range).filter((gfn) => mayLose(policy, gfn, "reclaim"));
  return allowed.map((start) => ({ start, frames: 1 }));
}

function mayLose(policy: MemoryPolicy | null, gfn: Gfn, by: Storer): boolean {
  if (policy === null || policy.mayStore(gfn, by)) return true;
  policy.deny({ cpu: -1, vpn: -1, gfn, by });
  return false;
}
