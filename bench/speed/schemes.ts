/**
 * Host time of a walk's reference under each scheme beside that of the plain two-dimensional walk: caches none, pages at random.
 *
 * Rounds of all schemes alternate, and the fastest round of each counts, so that a slow spell of the machine decides nothing.
 */
import { buildComputer } from "../../engines/computer.ts";
import { everyEngine } from "../../engines/index.ts";
import { bootKernel } from "../../guest/kernel.ts";
import { kernelDefaults } from "../../guest/options.ts";
import { Prng } from "../../guest/prng.ts";
import type { Vpn } from "../../machine/address.ts";
import { ownMmu } from "../../machine/fast.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { batchLength } from "../../machine/mmu.ts";
import { presets } from "../../machine/presets.ts";
import { timed } from "../host-time.ts";

/** The first two are what the others are held against. */
export const timedSchemes = [
  "native",
  "ept",
  "npt",
  "ept-flat",
  "ept-folded",
  "agile",
  "shsp",
  "riscv-h",
  "riscv-h-svadu",
  "arm-s2",
  "arm-s2-hafdbs",
] as const;

export type TimedScheme = (typeof timedSchemes)[number];

/** A reference may take this many times as long as one of the plain two-dimensional walk. */
export const referenceRatioMax = 1.3;

export interface SchemeTime {
  readonly scheme: TimedScheme;
  readonly referencesPerWalk: number;
  readonly nanosecondsPerWalk: number;
  readonly nanosecondsPerReference: number;
}

/**
 * What a walk of so many references would take between those of the first two: an access costs something whatever its walk, so
 * that references of short walks look dear.
 */
export function expectedNanoseconds(rows: readonly SchemeTime[], references: number): number {
  const [short, long] = rows;
  if (short === undefined || long === undefined) return NaN;
  const each =
    (long.nanosecondsPerWalk - short.nanosecondsPerWalk) /
    (long.referencesPerWalk - short.referencesPerWalk);
  return short.nanosecondsPerWalk + each * (references - short.referencesPerWalk);
}

const pages = 16_384;
const guestFrames = 32_768;
const walksPerRound = 24 * batchLength;

/** Each access walks, since the processor keeps nothing. */
export function measureSchemes(
  schemes: readonly TimedScheme[],
  rounds: number,
  factory: MmuFactory = ownMmu,
): readonly SchemeTime[] {
  const guests = schemes.map((scheme) => guestUnder(scheme, factory));
  const best = schemes.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    for (const [i, guest] of guests.entries()) {
      const { hostMilliseconds } = timed(() => guest.round(round));
      best[i] = Math.min(best[i] ?? Infinity, (hostMilliseconds * 1e6) / walksPerRound);
    }
  }
  return schemes.map((scheme, i) => {
    const referencesPerWalk = guests[i]?.referencesPerWalk() ?? 0;
    const nanosecondsPerWalk = best[i] ?? 0;
    const nanosecondsPerReference = nanosecondsPerWalk / referencesPerWalk;
    return { scheme, referencesPerWalk, nanosecondsPerWalk, nanosecondsPerReference };
  });
}

function guestUnder(scheme: TimedScheme, mmu: MmuFactory) {
  const preset = presets.textbook;
  const engine = everyEngine[scheme];
  if (engine === undefined) throw new Error(`bug: speed: no engine ${scheme}`);
  const { machine, vcpu, hypervisor } = buildComputer({ engine, preset, mmu, guestFrames });
  const guest = bootKernel({
    vcpu,
    hypervisor,
    options: { ...kernelDefaults, pcid: preset.pcid },
    onMeasure: () => undefined,
  });
  const fill = { fill: "populate", pages: "4k", writable: true, executable: false } as const;
  const base = guest.map(pages, fill);
  for (let page = 0; page < pages; page++) guest.write((base + page) as Vpn);
  let before = machine.snapshot().ledger;
  return {
    round(seed: number): void {
      const prng = new Prng(seed);
      for (let i = 0; i < walksPerRound; i++) guest.read((base + prng.below(pages)) as Vpn);
      vcpu.drain();
    },
    /** Since it was last asked. */
    referencesPerWalk(): number {
      const { ledger } = machine.snapshot();
      const since = (name: "walks" | "walkReferencesGuest" | "walkReferencesNested") =>
        ledger[name] - before[name];
      const perWalk =
        (since("walkReferencesGuest") + since("walkReferencesNested")) / since("walks");
      before = ledger;
      return perWalk;
    },
  };
}
