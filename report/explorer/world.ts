/**
 * A simulated computer inside the page: the real machine, a hypervisor of choice, a booted guest kernel.
 *
 * Nothing here is scripted for the page. What is shown is read from the same code that sweeps run.
 */
import type { EngineFactory } from "../../engines/engine.ts";
import { engines } from "../../engines/index.ts";
import { footprintFrames } from "../../guest/footprint.ts";
import { bootKernel } from "../../guest/kernel.ts";
import { kernelDefaults } from "../../guest/options.ts";
import type { OperatingSystem } from "../../guest/operating-system.ts";
import type { PagingLevels } from "../../machine/address.ts";
import type { EntryFormat } from "../../machine/entry-text.ts";
import { ept } from "../../machine/formats/ept.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { Hypervisor } from "../../machine/hypervisor.ts";
import { Machine, type MmuFactory } from "../../machine/machine.ts";
import { type Preset, presets } from "../../machine/presets.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

export type PageSize = "4k" | "2m";

export interface WorldOptions {
  readonly engine: string;
  readonly preset: string;
  readonly guestLevels: PagingLevels;
  readonly nestedLevels: PagingLevels;
  /** Host page size. */
  readonly backing: PageSize;
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
  let nestedFormat: EntryFormat | null = null;
  // Only the control fields say in which format nested entries are.
  const mmu: MmuFactory = (memory, geometry) => {
    const unit = fastMmu(memory, geometry);
    const configure: typeof unit.configure = (to, vpid) => {
      const last = to.stages.at(-1);
      nestedFormat =
        last === undefined || last.root === null ? null : last.format === ept ? "ept" : "x86-64";
      unit.configure(to, vpid);
    };
    return { ...unit, configure };
  };
  const least = footprintFrames({ pages: programPages, processes: 1 });
  const guestFrames = Math.max(least, options.framesMin ?? 0);
  const machine = new Machine({
    preset,
    mmu,
    guestFrames,
    vcpus: 1,
    seed: 1,
    backing,
    nestedLevels,
    placement: "scatter",
    slotsMax: slotsFor(guestFrames),
  });
  const [vcpu] = machine.vcpus;
  if (vcpu === undefined) throw new Error("world: a machine without a vCPU");
  const bare = entryOf<EngineFactory>(engines, options.engine)(machine);
  const hypervisor = options.watch?.(bare, vcpu) ?? bare;
  const guest = bootKernel({
    vcpu,
    hypervisor,
    options: { ...kernelDefaults, levels: guestLevels, pcid: preset.pcid },
    onMeasure: () => undefined,
  });
  return { machine, vcpu, hypervisor, guest, nestedFormat: () => nestedFormat };
}

function entryOf<T>(registry: Readonly<Record<string, T>>, name: string): T {
  const entry = registry[name];
  if (entry === undefined) throw new Error(`world: nothing is called ${name}`);
  return entry;
}
