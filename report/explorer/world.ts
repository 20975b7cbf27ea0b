/**
 * A simulated computer inside the page: the real machine, a hypervisor of choice, a booted guest kernel.
 *
 * Nothing here is scripted for the page. What is shown is read from the same code that sweeps run.
 */
import type { Engine } from "../../hypervisor/engine.ts";
import { buildComputer } from "../../engines/computer.ts";
import { engines, findEngine } from "../../engines/index.ts";
import { footprintFrames } from "../../guest/footprint.ts";
import { bootKernel } from "../../guest/kernel.ts";
import { kernelDefaults } from "../../guest/options.ts";
import type { OperatingSystem } from "../../guest/operating-system.ts";
import type { HostPageSize, PagingLevels } from "../../machine/address.ts";
import { type EntryFormat, nestedFormatOf } from "../../machine/entry-text.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Machine } from "../../machine/machine.ts";
import { type Preset, presets } from "../../machine/presets.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

/** Of a guest. */
export type PageSize = "4k" | "2m";

export interface WorldOptions {
  readonly engine: string;
  readonly preset: string;
  readonly guestLevels: PagingLevels;
  readonly nestedLevels: PagingLevels;
  /** Host page size. */
  readonly backing: HostPageSize;
  /** Guest frames that there must be; absent: as many as two large pages need. */
  readonly framesMin?: number;
  /** Stands between silicon and hypervisor, to see what passes. */
  readonly watch?: (hypervisor: Hypervisor, vcpu: Vcpu) => Hypervisor;
}

export interface World {
  readonly machine: Machine;
  readonly vcpu: Vcpu;
  readonly hypervisor: Hypervisor;
  readonly guest: OperatingSystem;
  /** How entries of the nested dimension are to be read; null without one. */
  readonly nestedFormat: () => EntryFormat | null;
}

export const engineNames: readonly string[] = Object.keys(engines);
/** Guests of guests that are offered beside them. */
export const nestedNames = [
  "npt@npt",
  "ept@ept",
  "shadow-lazy@npt",
  "shadow-lazy@shadow-lazy",
  "pvm@ept",
] as const;
export const presetNames: readonly string[] = Object.keys(presets);

/** Two guest pages of 2 MiB at most. */
const programPages = 1024;
/**
 * Frames that may hold bytes: a page in a browser shall not ask for what a sweep asks for. Trap-on-write shadow
 * tables of small pages for all of a direct map are the most there is: 1 in 512 frames.
 */
const slotsFor = (guestFrames: number) => 4096 + Math.ceil(guestFrames / 256);

export function createWorld(options: WorldOptions): World {
  const { backing, nestedLevels, guestLevels } = options;
  const preset = entryOf<Preset>(presets, options.preset);
  const least = footprintFrames({ pages: programPages, processes: 1 });
  const guestFrames = Math.max(least, options.framesMin ?? 0);
  const computer = buildComputer({
    engine: engineOf(options.engine),
    preset,
    guestFrames,
    backing,
    nestedLevels,
    slotsMax: slotsFor(guestFrames),
  });
  const { machine, vcpu, hypervisor: bare } = computer;
  const hypervisor = options.watch?.(bare, vcpu) ?? bare;
  const guest = bootKernel({
    vcpu,
    hypervisor,
    options: { ...kernelDefaults, levels: guestLevels, pcid: preset.pcid },
    onMeasure: () => undefined,
  });
  return { machine, vcpu, hypervisor, guest, nestedFormat: () => nestedFormatOf(vcpu.controls) };
}

function engineOf(name: string): Engine {
  const engine = findEngine(name);
  if (engine === undefined || "problem" in engine) throw new Error(`world: no engine ${name}`);
  return engine;
}

function entryOf<T>(registry: Readonly<Record<string, T>>, name: string): T {
  const entry = registry[name];
  if (entry === undefined) throw new Error(`world: nothing is called ${name}`);
  return entry;
}
