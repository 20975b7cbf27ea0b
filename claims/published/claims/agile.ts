/**
 * Agile paging's own figures: references by where a walk switches, the averages of its mixes, and how it stands against
 * nested and shadow paging on the eight programs.
 *
 * Programs are measured in steady state: three times the usual length less two times, so that what happens once, such as
 * the shadowing of a space that has come to rest, is in both. Their runs last minutes, ours fractions of a second.
 */
import { buildComputer } from "../../../engines/computer.ts";
import { agilePolicy, createAgile } from "../../../engines/agile.ts";
import type { EngineName } from "../../../engines/index.ts";
import { bootKernel } from "../../../guest/kernel.ts";
import { kernelDefaults } from "../../../guest/options.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import type { Vpn } from "../../../machine/address.ts";
import { presets } from "../../../machine/presets.ts";
import { type Claim, idOf, valueOf } from "../claim.ts";
import { readPublishedFacts } from "../published-rows.ts";
import type { Stage } from "../stage.ts";
import { type Stand, stands } from "./agile-winner.ts";

const interval = 2000;
const quick: Engine = {
  title: "agile paging with short intervals",
  family: "shadow",
  create: (platform) => createAgile(platform, { ...agilePolicy, intervalAccesses: interval }),
};

/**
 * References of a cold walk to a page whose space has come to rest, after the guest has mapped two more, so far apart;
 * none are mapped for null.
 */
function switchedWalk(distance: number | null): number {
  const { vcpu, hypervisor } = buildComputer({
    engine: quick,
    preset: presets.textbook,
    guestFrames: 2 ** 15,
  });
  const options = { ...kernelDefaults, kpti: false };
  const guest = bootKernel({ vcpu, hypervisor, options, onMeasure: () => undefined });
  const page = 0x100_0000 as Vpn;
  const map = (vpn: number) =>
    guest.mapAt(vpn as Vpn, 1, { fill: "populate", pages: "4k", writable: true });
  map(page);
  guest.write(page);
  for (let i = 0; i < restIntervals * interval; i++) guest.read(page);
  vcpu.drain();
  if (distance !== null) [1, 2].forEach((i) => map(page + i * distance));
  vcpu.mmu.flushLinear();
  vcpu.mmu.flushNested();
  guest.read(page);
  vcpu.drain();
  return vcpu.mmu.lastWalk().length;
}

/** More than a table is left alone that had stores while the guest booted. */
const restIntervals = 16;

/** Distances at which two mappings store to a table of level 1, 2, 3, 4. */
const apart = [1, 512, 512 ** 2, 512 ** 3] as const;

const switches: readonly Claim[] = [null, ...apart].map((distance, level) => ({
  name: level === 0 ? "agile, all shadowed" : `agile, nested from the table of level ${level} on`,
  class: "a",
  published: idOf("AG16", 4 + level),
  compare: { kind: "equal" },
  unit: "references",
  how: `agile, 4 levels: a cold walk${level === 0 ? "" : " after two stores to that table"}`,
  simulate: () => switchedWalk(distance),
}));

/** Table VI: shares of walks that take 4, 8 and 12 references, and their average, by program. */
const mixes: readonly Claim[] = stands.map(({ name }, place) => {
  const first = 15 + 4 * place;
  const shares = [first, first + 1, first + 2].map((number) => idOf("AG16", number));
  return {
    name: `agile, average references, ${name}`,
    class: "b",
    published: idOf("AG16", first + 3),
    rows: shares,
    compare: { kind: "equal" },
    unit: "references",
    how: "the published shares of its three kinds of walks, each as long as ours of that kind",
    simulate: () => {
      const facts = readPublishedFacts();
      const kinds = [null, apart[0], apart[1]] as const;
      const percent = kinds.map((kind, i) => {
        return switchedWalk(kind) * valueOf(idOf("AG16", first + i), facts);
      });
      return Math.round(percent.reduce((sum, part) => sum + part, 0)) / 100;
    },
  };
});

const times = 3;

function steady(stage: Stage, stand: Stand, engine: EngineName): number {
  const until = (length: number) => stand.run(stage, engine, "4k", length).total;
  return until(times) - until(times - 1);
}

/** First rows of figure 5's bars at 4K. */
const bars = { nested: 55, shadow: 63, agile: 71 } as const;

const firstLoads =
  "each new process loads a root that silicon does not know yet, which exits; ours start more of them than theirs";

const rankings = (["nested", "shadow"] as const).flatMap((rival) =>
  stands.map((stand, place): Claim => {
    const engine = rival === "nested" ? "ept" : "shadow-lazy";
    const row = (series: keyof typeof bars) => `(100 + ${idOf("AG16", bars[series] + place)})`;
    const isBusy = rival === "nested" && (stand.name === "gcc" || stand.name === "dedup");
    return {
      name: `${stand.name} 4k, agile / ${rival}`,
      class: "c",
      published: `${row("agile")} / ${row(rival)}`,
      compare: { kind: "same side" },
      unit: "x of run time",
      how: `${stand.ours}, nehalem, steady state: cycles under agile / ${engine}; not above 1`,
      simulate: (stage) => steady(stage, stand, "agile") / steady(stage, stand, engine),
      ...(isBusy ? { missedBecause: firstLoads } : {}),
    };
  }),
);

const means: readonly Claim[] = [
  {
    name: "agile, mean slowdown over native",
    class: "c",
    published: "AG16-161[1]",
    compare: { kind: "measured" },
    unit: "%",
    how: "the eight programs at 4k, nehalem, steady state: mean of cycles under agile / native, less 1",
    simulate: (stage) => {
      const slowdowns = stands.map((s) => steady(stage, s, "agile") / steady(stage, s, "native"));
      return (100 * slowdowns.reduce((sum, one) => sum + one - 1, 0)) / slowdowns.length;
    },
  },
  ...(["ept", "shadow-lazy"] as const).map((engine, place): Claim => ({
    name: `agile, gain over ${engine === "ept" ? "nested" : "shadow"} everywhere`,
    class: "c",
    published: `AG16-163[${place + 1}]`,
    compare: { kind: "at least" },
    unit: "%",
    how: `the eight programs at 4k, nehalem, steady state: geometric mean of cycles under ${engine} / agile, less 1`,
    simulate: (stage) => gain(stage, (stand) => steady(stage, stand, engine)),
  })),
  {
    name: "agile, gain over the better of both",
    class: "c",
    published: "AG16-164[1]",
    compare: { kind: "measured" },
    unit: "%",
    how: "the eight programs at 4k, nehalem, steady state: geometric mean of cycles under the better / agile, less 1",
    simulate: (stage) =>
      gain(stage, (s) => Math.min(steady(stage, s, "ept"), steady(stage, s, "shadow-lazy"))),
    missedBecause:
      "five of ours store to no table once they run, so shadow paging alone is as good there; key-value, which both walks and stores, gains 4 %",
  },
];

function gain(stage: Stage, rival: (stand: Stand) => number): number {
  const logs = stands.map((stand) => Math.log(rival(stand) / steady(stage, stand, "agile")));
  return 100 * (Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length) - 1);
}

export const agileClaims: readonly Claim[] = [...switches, ...mixes, ...rankings, ...means];
