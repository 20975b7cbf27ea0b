/**
 * The last-level cache as a channel: guest A fills it, B runs, and what A then misses are the sets that B has used. And
 * page colouring against it, with its price.
 *
 * Each bit of B's secret is whether it uses a part of its memory. A bit is seen if anything that A counts while it looks
 * changes with it: all is run again with every bit the other way.
 *
 * Model: guests take turns on one core whose first two levels hold one line each, and translations are flushed between
 * turns, so that nothing but the last level passes from one to the other. Bias: both, every line is read from there.
 *
 * Source: Osvik, Shamir and Tromer, CT-RSA 2006; Liu et al., "Last-Level Cache Side-Channel Attacks are Practical",
 * S&P 2015.
 */
import { counterNames, type Ledger, subtract } from "../../machine/counters.ts";
import { fastMmu } from "../../machine/fast.ts";
import { type HostRoom, type MachineOptions, shareHost } from "../../machine/machine.ts";
import type { Mmu } from "../../machine/mmu.ts";
import { type Preset, presets } from "../../machine/presets.ts";
import { Prng } from "../../guest/prng.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { engines } from "../../engines/index.ts";
import type { Channel, ChannelRow, SecretSettings } from "./channel.ts";
import {
  colouredPlacement,
  colouredTables,
  coloursOf,
  framesOfPalette,
  type Palette,
} from "./colours.ts";
import { cyclesOf } from "./cycles.ts";
import { guestFramesFor, SmallGuest, userPage } from "./small-guest.ts";

/** Last level of 512 KiB, 8 ways, its set a hash of the line: 16 colours. */
export const caches = {
  l1: { sets: 1, ways: 1, lineBytes: 64 },
  l2: { sets: 1, ways: 1, lineBytes: 64 },
  llc: { sets: 1024, ways: 8, lineBytes: 64 },
  hashesLlc: true,
  programLines: true,
  pairPrefetch: false,
} as const;
const preset: Preset = { ...presets["skylake-sp"], dataCache: caches };
const colours = coloursOf(caches);

/** Which frames a guest gets: any, those of its colours, and its tables too or not. */
export const placements = {
  "any frames": { backing: "4k", frames: false, tables: false },
  "any, 2 MiB each": { backing: "2m", frames: false, tables: false },
  "frames coloured": { backing: "4k", frames: true, tables: false },
  "frames and tables": { backing: "4k", frames: true, tables: true },
} as const;
export type FramePlacement = keyof typeof placements;

export const footprintEngines = { shadow: engines.shadow, ept: engines.ept } as const;

/** Half of the colours for each guest. */
const palettes: readonly [Palette, Palette] = [
  (colour) => colour < colours / 2,
  (colour) => colour >= colours / 2,
];
/** Pages that fill the last level, and those of B's that its secret is about. */
const pages = (caches.llc.sets * caches.llc.ways) / 64;
const partPages = 8;
const guestFrames = guestFramesFor(pages);
/** Frames of the host's that guests may have. */
const hostFrames = 2 * guestFrames;

interface Guests {
  readonly a: SmallGuest;
  readonly b: SmallGuest;
}

/** Two guests of one core, their frames as the host hands them out. */
function guestsOn(engine: Engine, placement: FramePlacement, check: boolean): Guests {
  const { backing, frames: hasFrames, tables: hasTables } = placements[placement];
  const rooms = shareHost(2, { guestFrames, backing, vcpus: 1, slotsMax: 4096 });
  let core: Mmu | null = null;
  const mmu: MachineOptions["mmu"] = (memory, of) => (core ??= fastMmu(memory, of));
  const [a, b] = rooms.map((room: HostRoom, i) => {
    const palette = palettes[i === 0 ? 0 : 1];
    const coloured = () => framesOfPalette(caches, palette, hostFrames);
    return new SmallGuest({
      engine: hasTables ? colouredTables(engine, caches, palette) : engine,
      pages,
      host: hasFrames ? { ...room, placement: colouredPlacement(coloured()) } : room,
      core: { preset, mmu, backing },
      check,
    });
  }) as [SmallGuest, SmallGuest];
  return { a, b };
}

interface Footprint {
  /** What A counted while it looked, bit by bit. */
  readonly looks: readonly Ledger[];
  readonly checked: number;
}

function watchFootprint(
  engine: Engine,
  placement: FramePlacement,
  { secret, check }: { readonly secret: readonly number[]; readonly check: boolean },
): Footprint {
  const { a, b } = guestsOn(engine, placement, check);
  for (const guest of [a, b]) {
    guest.enter();
    for (let page = 0; page < pages; page++) readPage(guest, page, 1);
    guest.vcpu.drain();
  }
  const looks = secret.map((bit) => {
    goRound(a, filling(placement));
    b.enter();
    for (let page = 0; page < bit * partPages; page++) readPage(b, page, 64);
    b.vcpu.drain();
    return goRound(a, filling(placement));
  });
  return { looks, checked: (a.oracle?.checked ?? 0) + (b.oracle?.checked ?? 0) };
}

/** Pages that fill what A has of the cache. */
function filling(placement: FramePlacement): number {
  return placements[placement].frames ? pages / 2 : pages;
}

/** The guest reads every line of its first pages. */
function goRound(guest: SmallGuest, pagesRead: number): Ledger {
  guest.enter();
  const before = guest.vcpu.snapshot().ledger;
  for (let page = 0; page < pagesRead; page++) readPage(guest, page, 64);
  return subtract(guest.vcpu.snapshot().ledger, before);
}

function readPage({ vcpu }: SmallGuest, page: number, lines: number): void {
  for (let line = 0; line < lines; line++) vcpu.read(userPage(page), line * 64);
}

/** Bits that change something that A counts. */
export function bitsSeen(
  engine: Engine,
  placement: FramePlacement,
  { seed, bits, check }: SecretSettings,
): number {
  const prng = new Prng(seed);
  const secret = Array.from({ length: bits }, () => prng.below(2));
  const other = secret.map((bit) => 1 - bit);
  const [looks, otherLooks] = [secret, other].map(
    (one) => watchFootprint(engine, placement, { secret: one, check }).looks,
  );
  return secret.filter((_, i) =>
    counterNames.some((name) => looks?.[i]?.[name] !== otherLooks?.[i]?.[name]),
  ).length;
}

/** Frames of the host's that a guest may get. */
export function framesToBeHad(placement: FramePlacement): number {
  const [palette] = palettes;
  return placements[placement].frames
    ? framesOfPalette(caches, palette, hostFrames).length
    : hostFrames;
}

/** A alone, going round three quarters of what the cache holds, the second time. */
export function priceOfColours(engine: Engine, placement: FramePlacement, check: boolean): Ledger {
  const { a } = guestsOn(engine, placement, check);
  const read = (3 * pages) / 4;
  goRound(a, read);
  return goRound(a, read);
}

export const cacheFootprint: Channel = {
  title: "Prime and probe: what guest B uses, read off what guest A misses in the last-level cache",
  uses: ["seed", "bits", "check"],
  summary: [
    "A fills its part of the cache, B uses some pages or none by each bit of a secret, A looks again. The",
    "price: frames of 1024 that a guest may have, and for A alone, going round three quarters of what the cache holds,",
    "lines of 100 that come from memory, references of walks and cycles a read.",
  ],
  columns: {
    placement: "placement",
    scheme: "scheme",
    seen: "bits seen",
    frames: "frames",
    misses: "misses in 100",
    walked: "walked a read",
    cycles: "cycles a read",
  },
  run(settings) {
    return (Object.keys(placements) as FramePlacement[]).flatMap((placement) =>
      Object.entries(footprintEngines).map(([scheme, engine]): ChannelRow => {
        const alone = priceOfColours(engine, placement, settings.check);
        const a = (sum: number) => Number((sum / alone.accesses).toPrecision(3));
        return {
          placement,
          scheme,
          seen: `${bitsSeen(engine, placement, settings)} of ${settings.bits}`,
          frames: framesToBeHad(placement),
          misses: a(100 * alone.dataDram),
          walked: a(alone.walkReferencesGuest + alone.walkReferencesNested),
          cycles: a(cyclesOf(alone)),
        };
      }),
    );
  },
};
