/**
 * Pre-copy: send everything while the guest runs, then what it wrote meanwhile, until little enough is left to
 * stop it for.
 *
 * The rule is QEMU's: once the pages left by the last reading of the log could be sent within the downtime
 * limit, the log is read again; if what is left then still could, the guest stops, the log is read for a last
 * time, and the rest is sent. Otherwise the guest goes on, and so does the sending. Nothing ends a migration
 * that does not converge but the end of the program, which then counts as a guest that was stopped for it.
 *
 * Source: QEMU migration/migration.c `migration_iteration_run`, `migration_update_counters`,
 * migration/ram.c `ram_state_pending_exact`, `migration_bitmap_sync_precopy`.
 *
 * Model: no device state is sent, and starting the guest at the destination takes no time. Bias: none between
 * schemes; every downtime is shorter by the same.
 */
import { pageBytes } from "./link.ts";
import type { Verdict } from "../../bench/results/result.ts";
import type { Sender } from "./sender.ts";
import type { Throttle } from "./throttle.ts";

/** `stop`: the rest can be sent within the limit. `move`: it is time for post-copy. */
export type Decision = "go on" | "stop" | "move";

export interface SwitchOver {
  readonly verdict: Verdict;
  /** When the guest stopped at the source. */
  readonly stoppedMs: number;
  /** How long it stood still. */
  readonly downtimeMs: number;
}

export class PreCopy {
  readonly throttle: Throttle;
  private readonly sender: Sender;
  private startMs = 0;
  /** Readings of the log that left too much. */
  private passes = 0;

  constructor(sender: Sender, throttle: Throttle) {
    this.sender = sender;
    this.throttle = throttle;
  }

  start(nowMs: number): void {
    this.startMs = nowMs;
    this.sender.start(nowMs);
    this.throttle.start(nowMs);
  }

  /** What the wire did until `nowMs`, and what is to happen to the guest then. */
  advance(nowMs: number): Decision {
    const { link } = this.sender.parts;
    if (this.isTimeToMove()) return "move";
    while (link.freeAtMs < nowMs) {
      if (!this.isLittleLeft()) {
        this.sender.sendNext();
        continue;
      }
      this.sync();
      if (this.isLittleLeft()) return "stop";
      this.passes += 1;
      if (this.isTimeToMove()) return "move";
      this.sender.open("precopy", this.throttle.percent);
    }
    return "go on";
  }

  /** The guest stands still from `nowMs` on: the last reading, and the rest is sent. */
  stopAndCopy(nowMs: number, verdict: Verdict): SwitchOver {
    const { sender } = this;
    const { link } = sender.parts;
    link.waitUntil(nowMs);
    const stoppedMs = link.freeAtMs;
    sender.round.pagesLeft = sender.left.size;
    sender.open("stop-and-copy", this.throttle.percent);
    sender.collect();
    sender.round.allowedBytes = this.allowedBytes();
    while (sender.sendNext());
    sender.round.endMs = link.freeAtMs;
    return { verdict, stoppedMs, downtimeMs: link.freeAtMs - stoppedMs };
  }

  /** Bytes that may be left: none while the bandwidth has not been measured. */
  private allowedBytes(): number {
    const { link, settings } = this.sender.parts;
    if (link.freeAtMs - this.startMs < settings.bandwidthWindowMs) return 0;
    return link.bytesPerMs * settings.downtimeLimitMs;
  }

  private isTimeToMove(): boolean {
    const { mode, postcopyAfterRounds } = this.sender.parts.settings;
    return mode === "postcopy" && this.passes >= postcopyAfterRounds;
  }

  private isLittleLeft(): boolean {
    return this.sender.left.size * pageBytes <= this.allowedBytes();
  }

  /** Reads the log, which ends a round. */
  private sync(): void {
    const { sender, throttle } = this;
    const { link } = sender.parts;
    const { round } = sender;
    const dirtied = sender.collect();
    round.allowedBytes = this.allowedBytes();
    round.endMs = link.freeAtMs;
    throttle.synced(link.freeAtMs, dirtied * pageBytes, link.bytes);
  }
}
