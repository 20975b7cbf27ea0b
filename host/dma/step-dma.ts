/**
 * One mapping under one scheme, step by step: a driver maps scattered pages, the device uses one twice, the driver unmaps, and
 * the device comes back: how `dma_map` becomes exits, walks and entries.
 *
 * Another mapping is there before, as on any system that has been running: upper tables and context entries are, too.
 */
import { fastMmu } from "../../machine/fast.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import type { iommuPresets } from "../../machine/iommu/presets.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
import { type DmaLine, StepRecorder } from "./step-recorder.ts";

export interface StepRequest {
  readonly scheme: DmaSchemeName;
  readonly flush: "strict" | "lazy";
  readonly backing: "4k" | "2m";
  readonly preset: keyof typeof iommuPresets;
  readonly seed: number;
  /** Pages of the mapping, no two of which follow each other. */
  readonly pages: number;
}

export interface DmaStep {
  readonly what: string;
  readonly lines: readonly DmaLine[];
  readonly exits: number;
  /** Memory reads of walks, without those of context structures. */
  readonly references: number;
}

export interface SteppedDma {
  readonly scheme: DmaSchemeName;
  readonly title: string;
  readonly steps: readonly DmaStep[];
}

const guestFrames = 4096;
/** The step in which the device finds nothing cached of the page. */
export const firstAccess = "the device writes";

export function stepDma({ scheme: name, pages, ...request }: StepRequest): SteppedDma {
  const scheme = dmaSchemes[name];
  const machine = new DmaMachine({
    ...request,
    guestFrames,
    isBare: scheme.family === "bare",
    factory: fastMmu,
    devices: 1,
    scalable: scheme.scalable,
    ats: false,
  });
  const guest = scheme.create(machine, request);
  const [api] = guest.apis;
  const [device] = machine.devices;
  if (api === undefined || device === undefined) {
    throw new Error("bug: dma: a machine without device");
  }
  const { frame } = machine.takeBuffers(2 * (pages + 1));
  const runs = Array.from({ length: pages }, (_, i) => ({ frame: frame + 2 * i, pages: 1 }));
  for (const one of api.map([{ frame: frame + 2 * pages, pages: 1 }], "read-write")) {
    machine.access(device, one.page, "write");
  }
  const recorder = new StepRecorder(machine, guest);
  const steps: DmaStep[] = [];
  const referencesOf = () => {
    machine.iommu.collect();
    const { referencesFirst, referencesSecond } = machine.iommu.counts.ledger;
    return referencesFirst + referencesSecond;
  };
  const step = (what: string, body: () => void) => {
    const before = { exits: guest.counts().exits, references: referencesOf() };
    body();
    const exits = guest.counts().exits - before.exits;
    steps.push({
      what,
      lines: recorder.take(),
      exits,
      references: referencesOf() - before.references,
    });
  };
  let mapped: ReturnType<typeof api.map> = [];
  step("the driver maps", () => (mapped = api.map(runs, "write")));
  const page = mapped[0]?.page ?? 0;
  step(firstAccess, () => recorder.access(device, page, "write"));
  step("once more", () => recorder.access(device, page, "write"));
  step("the driver unmaps", () => api.unmap(mapped));
  step("the device has not noticed", () => recorder.access(device, page, "write"));
  step("10 ms later", () => {
    machine.clock.advance(10_000);
    recorder.access(device, page, "write");
  });
  return { scheme: name, title: scheme.title, steps };
}
