/**
 * Auto-converge: the guest is slowed down step by step while it dirties memory faster than the link sends it.
 *
 * Source: QEMU migration/ram.c `migration_trigger_throttle`, `mig_throttle_guest_down` (two periods in which
 * the guest dirtied more than the trigger's share of what was sent, then a step), system/cpu-throttle.c (a
 * vCPU at p % sleeps p / (100 - p) of the time that it ran).
 */
import type { MigrationSettings } from "../../bench/results/migration-record.ts";

const badPeriodsPerStep = 2;

export class Throttle {
  /** Share of the guest's time that is taken away. */
  percent = 0;
  private readonly settings: MigrationSettings;
  private badPeriods = 0;
  private periodStartMs = 0;
  private dirtiedBytes = 0;
  private sentBefore = 0;

  constructor(settings: MigrationSettings) {
    this.settings = settings;
  }

  start(nowMs: number): void {
    this.periodStartMs = nowMs;
  }

  /** The log was read: `dirtiedBytes` are new, `sentBytes` went over the link since the start. */
  synced(nowMs: number, dirtiedBytes: number, sentBytes: number): void {
    const { autoConverge, throttlePeriodMs, throttleTriggerPercent } = this.settings;
    this.dirtiedBytes += dirtiedBytes;
    if (nowMs <= this.periodStartMs + throttlePeriodMs) return;
    const sent = sentBytes - this.sentBefore;
    if (this.dirtiedBytes > (sent * throttleTriggerPercent) / 100) {
      this.badPeriods += 1;
      if (this.badPeriods >= badPeriodsPerStep) {
        this.badPeriods = 0;
        if (autoConverge === 1) this.step();
      }
    }
    this.periodStartMs = nowMs;
    this.dirtiedBytes = 0;
    this.sentBefore = sentBytes;
  }

  /** Simulated time that passes while the guest runs for `ms`. */
  stretch(ms: number): number {
    return (ms * 100) / (100 - this.percent);
  }

  private step(): void {
    const { throttleInitialPercent, throttleIncrementPercent, throttleMaxPercent } = this.settings;
    this.percent =
      this.percent === 0
        ? throttleInitialPercent
        : Math.min(this.percent + throttleIncrementPercent, throttleMaxPercent);
  }
}
