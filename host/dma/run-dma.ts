/**
 * One device program under one scheme: what it took, from where the program says that it is set up.
 */
import { DmaOracle } from "../../check/dma/oracle.ts";
import { Prng } from "../../guest/prng.ts";
import { fastMmu } from "../../machine/fast.ts";
import { type IommuLedger, iommuDifference } from "../../machine/iommu/counters.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import type { DmaScheme, SchemeCounts } from "../../viommu/scheme.ts";
import {
  devicePrograms,
  type DeviceProgramName,
  dmaSchemes,
  type DmaSchemeName,
  type IommuPresetName,
} from "./catalogue.ts";
import type { DeviceProgram } from "../../workloads/devices/device-program.ts";
import { nobody } from "../../linux/iommu/dma.ts";
import { DriverIo } from "./driver-io.ts";
import { ExposureMeter } from "./exposure.ts";
import { PinnedTimeline } from "./pinned-timeline.ts";

export interface DmaRunOptions {
  readonly scheme: DmaSchemeName;
  readonly program: DeviceProgramName;
  readonly params: Readonly<Record<string, number | string>>;
  readonly flush: "strict" | "lazy";
  readonly backing: "4k" | "2m";
  readonly preset: IommuPresetName;
  readonly seed: number;
  readonly check: boolean;
}

export interface DmaRow extends SchemeCounts {
  readonly scheme: DmaSchemeName;
  readonly program: DeviceProgramName;
  readonly flush: "strict" | "lazy";
  readonly family: DmaScheme["family"];
  readonly maps: number;
  readonly unmaps: number;
  readonly pagesMapped: number;
  /** Page requests of the device. */
  readonly requests: number;
  readonly tlbMisses: number;
  /** Memory reads of all walks, context structures too. */
  readonly references: number;
  readonly faults: number;
  readonly guestStores: number;
  /** Loads of 8 bytes by which its drivers found free IO pages and entries. */
  readonly guestLoads: number;
  /** Pages of guest memory pinned at most, and all of it. */
  readonly pinnedPeak: number;
  readonly guestPages: number;
  /** Pages unmapped, and page-microseconds from there until no device could reach them. */
  readonly pagesUnmapped: number;
  readonly exposedMicroseconds: number;
  /** Accesses that the oracle judged, what it found wrong, and what was reached after its unmap, legally. */
  readonly checked: number;
  readonly mismatches: number;
  readonly staleReached: number;
}

/** Guest memory: buffers, the kernel's tables, and as much again, as a power of two. */
function guestFramesFor(pages: number): number {
  return 2 ** Math.ceil(Math.log2(2 * pages + 4096));
}

export function runDma(options: DmaRunOptions): DmaRow {
  return measureDma(options).row;
}

export interface MeasuredDma {
  readonly row: DmaRow;
  /** Pages pinned as the run went on. */
  readonly pinned: PinnedTimeline;
}

export function measureDma(options: DmaRunOptions): MeasuredDma {
  const program: DeviceProgram = devicePrograms[options.program];
  const scheme = dmaSchemes[options.scheme];
  const machine = new DmaMachine({
    guestFrames: guestFramesFor(program.bufferPages(options.params)),
    isBare: scheme.family === "bare",
    backing: options.backing,
    preset: options.preset,
    factory: fastMmu,
    devices: 1,
    scalable: scheme.scalable,
    ats: false,
    seed: options.seed,
  });
  const guest = scheme.create(machine, { flush: options.flush });
  const [api] = guest.apis;
  const [device] = machine.devices;
  if (api === undefined || device === undefined)
    throw new Error("bug: dma: a machine without device");
  const oracle = options.check ? new DmaOracle(machine.pages, scheme.protects) : null;
  const meter = new ExposureMeter(
    machine.clock,
    oracle?.observerOf(device.requestor.source) ?? nobody,
  );
  api.observer = meter;

  const now = () => {
    machine.iommu.collect();
    return {
      silicon: { ...machine.iommu.counts.ledger },
      counts: guest.counts(),
      stores: machine.guest.stores,
      loads: machine.guest.loads,
      io: { maps: io.maps, unmaps: io.unmaps, pagesMapped: io.pagesMapped },
      exposure: { pagesUnmapped: meter.pages, exposedMicroseconds: meter.total() },
    };
  };
  const pinned = new PinnedTimeline();
  const onMeasure = () => {
    machine.pages.forgetPeak();
    pinned.restart();
    before = now();
  };
  const prng = new Prng(options.seed);
  const io = new DriverIo({
    machine,
    api,
    device,
    prng: new Prng(options.seed + 1),
    oracle,
    onMeasure,
    onAct: () => pinned.note(machine.pages.pinned),
  });
  let before = now();
  program.run(io, options.params, prng);
  const after = now();

  const silicon = iommuDifference(after.silicon, before.silicon);
  const row: DmaRow = {
    scheme: options.scheme,
    program: options.program,
    flush: options.flush,
    family: scheme.family,
    ...differences(after.counts, before.counts),
    ...differences(after.io, before.io),
    ...differences(after.exposure, before.exposure),
    ...siliconColumns(silicon),
    guestStores: after.stores - before.stores,
    guestLoads: after.loads - before.loads,
    pinnedPeak: machine.pages.pinnedPeak,
    guestPages: machine.pages.frames,
    checked: oracle?.checked ?? 0,
    mismatches: oracle?.mismatchCount ?? 0,
    staleReached: oracle?.staleReached ?? 0,
  };
  return { row, pinned };
}

function siliconColumns(silicon: IommuLedger) {
  const { referencesContext, referencesFirst, referencesSecond } = silicon;
  return {
    requests: silicon.requests,
    tlbMisses: silicon.tlbMisses,
    references: referencesContext + referencesFirst + referencesSecond,
    faults: silicon.faults,
  };
}

function differences<T extends Readonly<Record<keyof T, number>>>(after: T, before: T): T {
  const names = Object.keys(after) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as T;
}
