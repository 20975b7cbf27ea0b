/**
 * Agile paging's own figures: references by where a walk switches, and the averages of its mixes.
 */
import { buildComputer } from "../../../engines/computer.ts";
import { agilePolicy, createAgile } from "../../../engines/agile.ts";
import { bootKernel } from "../../../guest/kernel.ts";
import { kernelDefaults } from "../../../guest/options.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import type { Vpn } from "../../../machine/address.ts";
import { presets } from "../../../machine/presets.ts";
import { type Claim, idOf, valueOf } from "../claim.ts";
import { readPublishedFacts } from "../published-rows.ts";
import { stands } from "../../stands.ts";

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

export const agileClaims: readonly Claim[] = [...switches, ...mixes];
