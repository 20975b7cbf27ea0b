/**
 * The guest of the teaching dialect: a kernel just large enough to store a PTE and to use the page.
 *
 *     GPA 0 .. 1 GiB           what PT_WRITE maps
 *     from 1 GiB on            the root, then upper tables, then 2048 leaf tables in GVA order (0 .. 4 GiB)
 *     GVA ffff800000000000 on  the direct map: GPA by GPA, but only where those leaf tables are
 *     GVA ffff808000000000 on  all of memory, read only to use a frame before it is counted
 *
 * The kernel finds a PTE by arithmetic, as with any linear page table. For a GVA above 4 GiB that arithmetic
 * leads behind the last leaf table, where the direct map has nothing: the store takes a real #PF.
 */
import type { Gfn, Vpn } from "../../machine/address.ts";
import {
  asLarge,
  freshPage,
  highHalf,
  kernelPage,
  lowHalf,
  userPage,
  withoutUser,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { PF_PRESENT } from "../../machine/page-fault.ts";
import type { Cr3, Registers } from "../../machine/registers.ts";
import type { GuestMemory, Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { PageFault } from "../../machine/observer.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

/** Frames that PT_WRITE may map: 1 GiB. */
export const teachingFrames = 0x4_0000;
/** Pages whose leaf tables exist: 4 GiB of GVA. */
export const teachingPages = 0x10_0000;

const entries = 512;
const leafTables = teachingPages / entries;
const directories = leafTables / entries;
const directMapTables = leafTables / entries;
/** PML4 entry of the direct map: GVA bits 47..39. */
const directMapSlot = 256;

const root = teachingFrames;
const userPdpt = root + 1;
const userDirectories = userPdpt + 1;
const kernelPdpt = userDirectories + directories;
const kernelDirectory = kernelPdpt + 1;
const kernelLeaves = kernelDirectory + 1;
const memoryPdpt = kernelLeaves + directMapTables;
const leaves = Math.ceil((memoryPdpt + 1) / entries) * entries;

/** First page of the direct map: GVA ffff800000000000 without its sign extension. */
const directMap = directMapSlot * entries ** 3;
/** First page of the map of all memory, by 1 GiB. */
const memoryMap = (directMapSlot + 1) * entries ** 3;
const memoryGigabytes = 2;

/** What the machine of this guest must have. */
export const teachingMachine = {
  guestFrames: leaves + leafTables,
  vcpus: 1,
  backing: "4k",
  /** GPA 5000 lies at HPA 8A000. */
  placement: { linearFrom: 0x85 },
} as const;

/** Depth of the guest's tables. */
export const teachingLevels = 4;

const bootCr3: Cr3 = { root: root as Gfn, pcid: 0, keep: false };
const registers: Registers = {
  writeProtect: true,
  globalPages: true,
  pcid: false,
  levels: teachingLevels,
};

/** What an instruction of the guest came to. */
export type Outcome = "done" | "not mapped" | "forbidden";

export class TeachingGuest {
  private readonly vcpu: Vcpu;
  private fault: PageFault | null = null;

  /** Writes the boot image and enters the guest. */
  constructor(vcpu: Vcpu, hypervisor: Hypervisor) {
    this.vcpu = vcpu;
    writeImage(hypervisor.memory);
    vcpu.software = {
      pageFault: (fault) => {
        this.fault = fault;
        return "abandon";
      },
    };
    vcpu.boot(hypervisor, bootCr3, registers);
  }

  /** Stores the PTE that maps `vpn` to `gfn`, through the direct map. */
  storePte(vpn: Vpn, gfn: Gfn): Outcome {
    const table = leaves + Math.floor(vpn / entries);
    const { vcpu } = this;
    vcpu.setPrivilege("supervisor");
    vcpu.ledger.pteStores += 1;
    vcpu.store((directMap + table) as Vpn, vpn % entries, lowHalf(gfn, userPage), highHalf(gfn));
    return this.outcome();
  }

  /**
   * Uses what an access to `vpn`, mapped to `gfn`, will need, so that the host has it and maps it: tables and page. What comes
   * after is counted as on a machine that has run for a while.
   */
  warm(vpn: Vpn, gfn: Gfn | undefined): void {
    const table = Math.floor(vpn / entries);
    const directory = userDirectories + Math.floor(table / entries);
    const tables = vpn < teachingPages ? [userPdpt, directory, leaves + table] : [];
    const { vcpu } = this;
    vcpu.setPrivilege("supervisor");
    for (const frame of gfn === undefined ? tables : [...tables, gfn]) {
      vcpu.read((memoryMap + frame) as Vpn);
    }
    if (vpn < teachingPages) vcpu.read((directMap + leaves + table) as Vpn);
    vcpu.drain();
  }

  /** A present entry changed: what was cached of it must go. */
  invalidate(vpn: Vpn): void {
    this.vcpu.invlpg(vpn);
  }

  /** User code loads from `vpn`. */
  read(vpn: Vpn, offset: number): Outcome {
    this.vcpu.setPrivilege("user");
    this.vcpu.read(vpn, offset);
    this.vcpu.drain();
    return this.outcome();
  }

  private outcome(): Outcome {
    const { fault } = this;
    this.fault = null;
    if (fault === null) return "done";
    return (fault.error & PF_PRESENT) === 0 ? "not mapped" : "forbidden";
  }
}

function writeImage(memory: GuestMemory): void {
  const link = (table: number, index: number, target: number, flags: number) => {
    memory.write(table as Gfn, index, lowHalf(target, flags), highHalf(target));
  };
  link(root, 0, userPdpt, userPage);
  link(root, directMapSlot, kernelPdpt, kernelPage);
  for (let i = 0; i < directories; i++) link(userPdpt, i, userDirectories + i, userPage);
  for (let i = 0; i < leafTables; i++) {
    link(userDirectories + Math.floor(i / entries), i % entries, leaves + i, userPage);
  }
  link(root, directMapSlot + 1, memoryPdpt, kernelPage);
  const readOnly = withoutWrite(withoutUser(freshPage));
  // Not accessed yet, so that no shadow is made of all memory at boot.
  for (let i = 0; i < memoryGigabytes; i++)
    link(memoryPdpt, i, i * entries ** 2, asLarge(readOnly));
  // The direct map's tables cover whole 2 MiB steps; `leaves` starts at one, and `leafTables` fills them.
  const firstIndex = leaves / entries;
  const pdIndex = firstIndex % entries;
  link(kernelPdpt, Math.floor(firstIndex / entries), kernelDirectory, kernelPage);
  for (let i = 0; i < directMapTables; i++) {
    link(kernelDirectory, pdIndex + i, kernelLeaves + i, kernelPage);
    for (let entry = 0; entry < entries; entry++) {
      link(kernelLeaves + i, entry, leaves + i * entries + entry, kernelPage);
    }
  }
}
