/**
 * For tests: a booted guest with the oracle on it, one line to build, page tables within reach.
 *
 * The guest is the fuzzer's (`check/fuzz/guest-image.ts`): a direct map of all memory, user pages in spaces of
 * their own. Faults abandon the access, so a test says itself what its guest does about them.
 */
import type { DirtyLogOptions } from "../../hypervisor/dirty/dirty-log-options.ts";
import {
  type Gfn,
  type HostPageSize,
  indexAt,
  type PagingLevels,
  type Pfn,
  type Vpn,
} from "../../machine/address.ts";
import { highHalf, lowHalf } from "../../machine/formats/x86-entry.ts";
import type { Registers } from "../../machine/registers.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Machine, MmuFactory } from "../../machine/machine.ts";
import type { Preset } from "../../machine/presets.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { buildComputer } from "../../engines/computer.ts";
import { findEngine } from "../../engines/index.ts";
import { buildImage, type GuestImage, memoryFrames, tableKey } from "../fuzz/guest-image.ts";
import { smallPresets } from "../fuzz/small-presets.ts";
import { attachOracle, type Oracle } from "./oracle.ts";

export interface CheckedGuestOptions {
  /** A name of the registry's, or `A@B`. */
  readonly engine?: string;
  readonly preset?: Preset;
  readonly mmu?: MmuFactory;
  /** Changes the hypervisor before the oracle sees it: a planted bug. */
  readonly plant?: (hypervisor: Hypervisor, machine: Platform) => Hypervisor;
  readonly vcpus?: number;
  readonly levels?: PagingLevels;
  readonly backing?: HostPageSize;
  /** More memory than the image has, above it. */
  readonly guestFrames?: number;
  readonly pcid?: boolean;
  readonly globalKernel?: boolean;
  readonly dirtyLog?: Partial<DirtyLogOptions>;
}

export interface CheckedGuest {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly oracle: Oracle;
  readonly image: GuestImage;
  /** The first vCPU. */
  readonly vcpu: Vcpu;
  /** Page of the direct map that shows `gfn`. */
  readonly direct: (gfn: number) => Vpn;
  /** Table that translates user page `vpn` of the first space at `level`. */
  readonly table: (vpn: number, level: number) => Gfn;
  /** Stores an entry for `vpn` at `level`, through the direct map, without any flush. */
  readonly setEntry: (
    vpn: number,
    level: number,
    frame: number,
    flags: number,
    nx?: number,
  ) => void;
  /** Where the guest's frame lies, as a plain function. */
  readonly place: (gfn: number) => Pfn;
}

export function checkedGuest(options: CheckedGuestOptions = {}): CheckedGuest {
  const { engine = "native", preset = smallPresets.roomy, plant, levels = 4 } = options;
  const found = findEngine(engine);
  if (found === undefined || "problem" in found) throw new Error(`no engine ${engine}`);
  const { machine, hypervisor: made } = buildComputer({
    engine: found,
    preset,
    mmu: options.mmu ?? fastMmu,
    guestFrames: options.guestFrames ?? memoryFrames,
    vcpus: options.vcpus ?? 1,
    backing: options.backing ?? "4k",
    slotsMax: 1536,
    dirtyLog: options.dirtyLog ?? {},
  });
  const oracle = attachOracle(machine, { native: engine === "native", engine });
  const hypervisor = oracle.watch(plant === undefined ? made : plant(made, machine));
  const image = buildImage({
    levels,
    spaces: 2,
    direct: "4k",
    globalKernel: options.globalKernel ?? false,
    selfMap: false,
  });
  for (const { gfn, index, count, low, high } of image.image.fills()) {
    for (let i = 0; i < count; i++) {
      const at = index + i;
      hypervisor.memory.write((gfn + Math.floor(at / 512)) as Gfn, at % 512, low + i * 4096, high);
    }
  }
  const registers: Registers = {
    writeProtect: true,
    globalPages: true,
    pcid: options.pcid ?? false,
    levels,
  };
  for (const vcpu of machine.vcpus) {
    vcpu.software = { pageFault: () => "abandon" };
    vcpu.boot(hypervisor, { root: image.spaces[0]!.root, pcid: 0, keep: false }, registers);
  }
  const vcpu = machine.vcpus[0]!;
  const direct = (gfn: number) => (image.directMap + gfn) as Vpn;
  const table = (vpn: number, level: number) => image.spaces[0]!.tables.get(tableKey(level, vpn))!;
  return {
    machine,
    hypervisor,
    oracle,
    image,
    vcpu,
    direct,
    table,
    setEntry(vpn, level, frame, flags, nx = 0) {
      const index = indexAt(vpn, level);
      vcpu.store(direct(table(vpn, level)), index, lowHalf(frame, flags), highHalf(frame, nx));
    },
    place: (gfn) => (engine === "native" ? gfn : machine.placement(gfn as Gfn)) as Pfn,
  };
}
