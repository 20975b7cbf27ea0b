/**
 * A migration's settings as sweep files and the command line give them, checked.
 */
import { z } from "zod";
import { errorLine } from "../../bench/input/config-error.ts";
import { migrationModes, type MigrationSettings } from "../../bench/results/migration-record.ts";
import { defaultSettings } from "./settings.ts";
import { bitsPerSecond, milliseconds } from "./units.ts";

function measured(read: (text: string) => number, min: number) {
  return z.string().transform((text, context) => {
    try {
      const value = read(text);
      if (value >= min) return value;
      context.addIssue({ code: "custom", message: "must be more" });
    } catch (error) {
      context.addIssue({ code: "custom", message: errorLine(error) });
    }
    return z.NEVER;
  });
}

const percent = (max: number) => z.number().min(0).max(max);
const time = measured(milliseconds, 0);

/** Every field may be left out: the defaults are QEMU's. */
export const settingsSchema = z.strictObject({
  mode: z.enum(migrationModes).optional(),
  bandwidth: measured(bitsPerSecond, 1).optional(),
  downtime: time.optional(),
  bandwidthWindow: time.optional(),
  autoConverge: z.boolean().optional(),
  throttleInitial: percent(99).optional(),
  throttleIncrement: percent(99).optional(),
  throttleMax: percent(99).optional(),
  throttleTrigger: percent(100).optional(),
  throttlePeriod: time.optional(),
  zeroPages: z.boolean().optional(),
  postcopyAfter: z.int().min(0).max(1000).optional(),
  roundTrip: time.optional(),
  start: percent(100).optional(),
});

export type GivenSettings = z.infer<typeof settingsSchema>;

export const settingNames = Object.keys(settingsSchema.shape) as readonly (keyof GivenSettings)[];

export function fullSettings(given: GivenSettings): MigrationSettings {
  const usual = defaultSettings;
  return {
    mode: given.mode ?? usual.mode,
    bandwidthBitsPerSecond: given.bandwidth ?? usual.bandwidthBitsPerSecond,
    downtimeLimitMs: given.downtime ?? usual.downtimeLimitMs,
    bandwidthWindowMs: given.bandwidthWindow ?? usual.bandwidthWindowMs,
    autoConverge: bit(given.autoConverge, usual.autoConverge),
    throttleInitialPercent: given.throttleInitial ?? usual.throttleInitialPercent,
    throttleIncrementPercent: given.throttleIncrement ?? usual.throttleIncrementPercent,
    throttleMaxPercent: given.throttleMax ?? usual.throttleMaxPercent,
    throttleTriggerPercent: given.throttleTrigger ?? usual.throttleTriggerPercent,
    throttlePeriodMs: given.throttlePeriod ?? usual.throttlePeriodMs,
    zeroPages: bit(given.zeroPages, usual.zeroPages),
    postcopyAfterRounds: given.postcopyAfter ?? usual.postcopyAfterRounds,
    roundTripMs: given.roundTrip ?? usual.roundTripMs,
    startPercent: given.start ?? usual.startPercent,
  };
}

function bit(given: boolean | undefined, usual: 0 | 1): 0 | 1 {
  if (given === undefined) return usual;
  return given ? 1 : 0;
}
