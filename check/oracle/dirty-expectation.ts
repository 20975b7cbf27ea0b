/**
 * For tests: exactly what a dirty log reports, from the writes and the host's events alone.
 *
 * `DirtyModel` is what the oracle holds every run to, a lower bound; this is the same said exactly, for a log
 * whose policy is known. One Set, no ranges cleverly kept: whatever is slow and plain.
 */
import type { DirtyLogOptions } from "../../hypervisor/dirty/dirty-log-options.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";

export class DirtyExpectation {
  private readonly armedBy: DirtyLogOptions["armedBy"];
  private readonly logged = new Set<number>();
  private readonly dirty = new Set<number>();
  private readonly reported = new Set<number>();

  constructor(armedBy: DirtyLogOptions["armedBy"]) {
    this.armedBy = armedBy;
  }

  wrote(gfn: number): void {
    if (this.logged.has(gfn)) this.dirty.add(gfn);
  }

  /** What the event reports. */
  answer(event: HostEvent): ReadonlySet<number> {
    switch (event.kind) {
      case "dirty-log-on":
        for (const gfn of framesOf(event)) {
          if (!this.logged.has(gfn) && this.armedBy === "clear-initially-set") this.dirty.add(gfn);
          this.logged.add(gfn);
        }
        break;
      case "dirty-log-off": {
        const { start: first, frames } = event.only ?? { start: 0, frames: Infinity };
        const end = first + frames;
        for (const set of [this.logged, this.dirty, this.reported]) {
          for (const gfn of set) if (gfn >= first && gfn < end) set.delete(gfn);
        }
        break;
      }
      case "dirty-log-get": {
        const report = new Set(this.dirty);
        if (this.armedBy === "get") this.dirty.clear();
        else for (const gfn of report) this.reported.add(gfn);
        return report;
      }
      case "dirty-log-clear":
        for (const gfn of framesOf(event)) if (this.reported.delete(gfn)) this.dirty.delete(gfn);
        break;
      case "reclaim":
      case "evict":
      case "snapshot":
      case "snapshot-drop":
      case "merge":
      case "memory-limit":
      case "write":
      case "slot-delete":
      case "slot-create":
      case "slot-move":
      case "vcpu-run":
      case "balance-tables":
        // What the host does to frames leaves the log alone.
        break;
    }
    return new Set();
  }
}

function* framesOf({ start, frames }: { start: number; frames: number }): Generator<number> {
  for (let gfn = start; gfn < start + frames; gfn++) yield gfn;
}
