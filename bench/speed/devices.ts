/**
 * Host time of a device's accesses beside a processor's that take the same walk: the same pages in the same order, the same
 * caches, both through their access unit.
 *
 * Rounds of both alternate, and the fastest round of each counts, so that a slow spell of the machine decides nothing.
 */
import { AccessUnit } from "../../machine/access-unit.ts";
import type { Vpn } from "../../machine/address.ts";
import { createLedger, walkLengthMax } from "../../machine/counters.ts";
import { iommuPresets } from "../../machine/iommu/presets.ts";
import { ownMmu } from "../../machine/fast.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { batchLength, STORE } from "../../machine/mmu.ts";
import { eptStage, oneStage, twoStages } from "../../machine/stages.ts";
import { Prng } from "../../guest/prng.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
import { timed } from "../host-time.ts";
import { regionVpn } from "./streams.ts";
import { createTables } from "./tables.ts";

export interface DeviceStream {
  readonly title: string;
  readonly scheme: DmaSchemeName;
  /** Caches of the IOMMU and of the processor. */
  readonly preset: keyof typeof iommuPresets;
  /** Pages that are accessed at random. */
  readonly pages: number;
}

export const deviceStreams: readonly DeviceStream[] = [
  { title: "found in the IOTLB", scheme: "pinned", preset: "vt-d", pages: 32 },
  { title: "missed, one dimension", scheme: "pinned", preset: "vt-d", pages: 16_384 },
  { title: "missed, two dimensions", scheme: "nested", preset: "vt-d", pages: 16_384 },
  { title: "no caches, one dimension", scheme: "pinned", preset: "textbook", pages: 16_384 },
  { title: "no caches, two dimensions", scheme: "nested", preset: "textbook", pages: 16_384 },
];

export interface Requests {
  readonly nanosecondsPerAccess: number;
  readonly missesPerAccess: number;
  readonly referencesPerAccess: number;
}

/** A device's accesses may take this many times as long as a processor's. */
export const deviceRatioMax = 1.5;

export interface DeviceTime {
  readonly stream: DeviceStream;
  readonly device: Requests;
  readonly processor: Requests;
}

/** Who makes accesses: does one batch of pages as loads or stores; counts since the start. */
interface Side {
  run(pages: readonly number[], kind: "read" | "write"): void;
  counts(): { readonly misses: number; readonly references: number };
}

const guestFrames = 32_768;
const batchesPerRound = 48;

export function measureDevices(
  stream: DeviceStream,
  rounds: number,
  factory: MmuFactory = ownMmu,
): DeviceTime {
  const sides = { device: deviceSide(stream, factory), processor: processorSide(stream, factory) };
  const best = { device: Infinity, processor: Infinity };
  const prng = new Prng(1);
  for (let round = 0; round < rounds; round++) {
    const batches = Array.from({ length: batchesPerRound }, () =>
      Array.from({ length: batchLength }, () => prng.below(stream.pages)),
    );
    for (const name of ["device", "processor"] as const) {
      const { hostMilliseconds } = timed(() => {
        for (const [i, batch] of batches.entries()) {
          sides[name].run(batch, i % 4 === 0 ? "write" : "read");
        }
      });
      best[name] = Math.min(best[name], hostMilliseconds * 1e6);
    }
  }
  const accesses = rounds * batchesPerRound * batchLength;
  const requests = (name: "device" | "processor"): Requests => {
    const { misses, references } = sides[name].counts();
    return {
      nanosecondsPerAccess: best[name] / (batchesPerRound * batchLength),
      missesPerAccess: misses / accesses,
      referencesPerAccess: references / accesses,
    };
  };
  return { stream, device: requests("device"), processor: requests("processor") };
}

function deviceSide({ scheme: name, preset, pages }: DeviceStream, factory: MmuFactory): Side {
  const scheme = dmaSchemes[name];
  const machine = new DmaMachine({
    guestFrames,
    isBare: false,
    backing: "4k",
    preset,
    factory,
    devices: 1,
    scalable: scheme.scalable,
    ats: false,
    seed: 1,
  });
  const { apis } = scheme.create(machine, { flush: "strict" });
  const { frame } = machine.takeBuffers(pages);
  // Neighbours are exchanged: no two pages follow each other, so no leaf is large.
  const runs = Array.from({ length: pages }, (_, i) => ({ frame: frame + (i ^ 1), pages: 1 }));
  const segments = apis[0]?.map(runs, "read-write") ?? [];
  const places = segments.flatMap((segment) =>
    Array.from({ length: segment.pages }, (_, i) => segment.page + i),
  );
  const [device] = machine.devices;
  if (device === undefined) throw new Error("bug: speed: no device");
  const { iommu } = machine;
  const start = { ...iommu.counts.ledger };
  return {
    run: (batch, kind) =>
      machine.burst(
        device,
        kind,
        batch.map((page) => places[page] ?? 0),
      ),
    counts() {
      iommu.collect();
      const { tlbMisses, referencesFirst, referencesSecond } = iommu.counts.ledger;
      const before = start.referencesFirst + start.referencesSecond;
      const references = referencesFirst + referencesSecond - before;
      return { misses: tlbMisses - start.tlbMisses, references };
    },
  };
}

function processorSide({ scheme, preset, pages }: DeviceStream, factory: MmuFactory): Side {
  const nested = dmaSchemes[scheme].family === "nested";
  const tables = createTables({ nested, pageSize: "4k" });
  for (let page = 0; page < pages; page++) tables.map((regionVpn + page) as Vpn);
  const mmu = factory(tables.memory, iommuPresets[preset]);
  const stages = nested ? twoStages(eptStage(tables.eptRoot, 4, false))(4) : oneStage(4);
  mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
  mmu.setRoot({ frame: tables.root, pcid: 5 });
  const unit = new AccessUnit(mmu, tables.memory, {
    id: 0,
    stopped: () => {
      throw new Error("bug: speed: an access was stopped");
    },
  });
  return {
    run(batch, kind) {
      const flag = kind === "write" ? STORE : 0;
      for (const page of batch.map((one) => regionVpn + one)) unit.append(page as Vpn, 0, flag);
      unit.drain();
    },
    counts() {
      const ledger = createLedger();
      mmu.collect(ledger, new Float64Array(walkLengthMax + 1));
      const { stlbMisses, walkReferencesGuest, walkReferencesNested } = ledger;
      return { misses: stlbMisses, references: walkReferencesGuest + walkReferencesNested };
    },
  };
}
