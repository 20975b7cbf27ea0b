/** A snapshot every so often, as for backup or debugging: the one before is dropped. */
import type { Gfn } from "../../../machine/address.ts";
import { freshMemory, type HostedGuest, type Scenario } from "../scenario.ts";

function snapshotAll(guests: readonly HostedGuest[]): void {
  for (const { hypervisor, memory } of guests) {
    hypervisor.host({ kind: "snapshot", start: 0 as Gfn, frames: memory.frames });
  }
}

export const snapshot: Scenario = {
  title: "Snapshots of a running guest",
  summary: "the host keeps all contents as they are, by copy-on-write, again and again",
  guests: 1,
  clones: false,
  uses: ["every"],
  kernel: freshMemory,
  started: snapshotAll,
  act: snapshotAll,
};
