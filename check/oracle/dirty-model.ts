/**
 * Which frames the guest has written since the host last asked: what any dirty log must at least report.
 *
 * More is legal, by rule: the pages of guest tables that silicon updates, pages mapped writable ahead of a
 * write. Less loses a write in a migration.
 */
import type { HostEvent } from "../../hypervisor/host-events.ts";

export class DirtyModel {
  private ranges: readonly { readonly first: number; readonly end: number }[] = [];
  private readonly written = new Set<number>();
  /** What the last get reported. */
  private reported: ReadonlySet<number> = new Set();
  /** A hypervisor without dirty tracking reports nothing, ever: that is no loss. */
  private hasReported = false;
  private lost: number | undefined;

  stored(gfn: number): void {
    if (this.ranges.some(({ first, end }) => gfn >= first && gfn < end)) this.written.add(gfn);
  }

  /** Returns a written frame that the log lost, if there is one. */
  acted(event: HostEvent, reported: readonly number[]): number | undefined {
    switch (event.kind) {
      case "dirty-log-on":
        this.ranges = [...this.ranges, { first: event.start, end: event.start + event.frames }];
        return undefined;
      case "dirty-log-get": {
        this.reported = new Set(reported);
        this.lost ??= [...this.written].find((gfn) => !this.reported.has(gfn));
        this.hasReported ||= reported.length > 0;
        this.written.clear();
        return this.hasReported ? this.lost : undefined;
      }
      case "dirty-log-clear":
        // A write between a get that reported the page and its clear may be in neither: the host copies
        // the page after the clear, and has the write.
        for (const gfn of this.reported) {
          if (gfn >= event.start && gfn < event.start + event.frames) this.written.delete(gfn);
        }
        return undefined;
      case "dirty-log-off":
        this.end(event.only ?? { start: 0, frames: Infinity });
        return undefined;
      case "slot-move":
        for (let i = 0; i < event.frames; i++) {
          this.written.delete(event.start + i);
          this.written.delete(event.to + i);
        }
        return undefined;
      case "slot-delete":
      case "reclaim":
        // The host itself dropped these pages and need not send them.
        for (let gfn = event.start as number; gfn < event.start + event.frames; gfn++)
          this.written.delete(gfn);
        return undefined;
      case "evict":
      case "snapshot":
      case "snapshot-drop":
      case "merge":
      case "memory-limit":
      case "write":
      case "slot-create":
      case "vcpu-run":
      case "balance-tables":
        return undefined;
    }
  }

  /** Nothing in the range is logged any more. */
  private end({ start: first, frames }: { readonly start: number; readonly frames: number }): void {
    const end = first + frames;
    this.ranges = this.ranges
      .flatMap((range) => [
        { first: range.first, end: Math.min(range.end, first) },
        { first: Math.max(range.first, end), end: range.end },
      ])
      .filter((range) => range.first < range.end);
    for (const gfn of this.written) if (gfn >= first && gfn < end) this.written.delete(gfn);
  }
}
