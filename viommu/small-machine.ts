/** A small machine with a scheme on it, and what a call costs: for scenarios and tests. */
import { fastMmu } from "../machine/fast.ts";
import type { FrameRun } from "../linux/iommu/core.ts";
import { DmaMachine } from "./dma-machine.ts";
import { dmaSchemes, type DmaSchemeName } from "./index.ts";
import type { SchemeCounts } from "./scheme.ts";

export interface SmallMachineOptions {
  readonly flush?: "strict" | "lazy";
  readonly preset?: "textbook" | "vt-d";
  readonly backing?: "4k" | "2m";
  readonly devices?: number;
  readonly ats?: boolean;
}

export function smallMachine(name: DmaSchemeName, options: SmallMachineOptions = {}) {
  const { flush = "strict", preset = "vt-d", backing = "4k", devices = 1, ats = false } = options;
  const scheme = dmaSchemes[name];
  const machine = new DmaMachine({
    guestFrames: 8192,
    isBare: scheme.family === "bare",
    backing,
    preset,
    factory: fastMmu,
    devices,
    scalable: scheme.scalable,
    ats,
    seed: 1,
  });
  const guest = scheme.create(machine, { flush });
  const [api] = guest.apis;
  const [device] = machine.devices;
  if (api === undefined || device === undefined) throw new Error("bug: no device");
  /** What `body` adds to the scheme's counts. */
  const cost = (body: () => void): SchemeCounts => {
    const before = guest.counts();
    body();
    const after = guest.counts();
    const names = Object.keys(after) as (keyof SchemeCounts)[];
    const entries = names.map((column) => [column, after[column] - before[column]]);
    return Object.fromEntries(entries) as SchemeCounts;
  };
  return { machine, guest, api, device, cost };
}

/** Frames from 4096 on, no two of which follow each other. */
export const scatteredFrames = (pages: number): FrameRun[] =>
  Array.from({ length: pages }, (_, i) => ({ frame: 4096 + 2 * i, pages: 1 }));
