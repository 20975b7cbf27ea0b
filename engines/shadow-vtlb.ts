/**
 * The virtual TLB: shadow tables as a cache that the guest's own flushes empty.
 *
 * Buys: nothing is write-protected, so PTE stores never exit and no table has to be tracked. Pays: every CR3
 * write empties everything, and each page touched afterwards is a hidden fault.
 *
 * Source: SDM vol. 3C 33.3 "Memory Virtualization", the virtual TLB algorithm.
 */
import { type Gfn, pagesPerEntry, type Vpn } from "../machine/address.ts";
import {
  ACC_USER,
  ACC_WRITE,
  frameOf,
  highHalf,
  lowHalf,
  nxFor,
  pageFor,
  withoutWrite,
} from "../machine/formats/x86-entry.ts";
import { PF_WRITE } from "../machine/page-fault.ts";
import { x86 } from "../machine/formats/x86.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import type { Registers } from "../machine/registers.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { shadowControls, unaskedExit } from "../hypervisor/controls.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { flushVcpus } from "../hypervisor/flush.ts";
import {
  createWalk,
  type FaultingAccess,
  walkGuest,
  type WalkHost,
} from "../hypervisor/guest-walk.ts";
import { createHostMemory, isMemoryEvent } from "../hypervisor/memory/host-memory.ts";
import { answerMmio } from "../hypervisor/memory/slots.ts";
import {
  emptyTree,
  findPlace,
  forEachLeaf,
  makePlace,
  type RadixTree,
} from "../hypervisor/tables/radix.ts";

/** One vCPU's shadow: a tree by VPN, and which 2 MiB regions hold fragments of larger guest pages. */
interface VirtualTlb {
  tree: RadixTree;
  /** Region (VPN / 512) to the level of the guest leaf that its entries are fragments of. */
  readonly fragments: Map<number, number>;
}

function createShadowVtlb(platform: Platform): Hypervisor {
  const { memory: bytes, vcpus } = platform;
  const memory = createHostMemory(platform);
  const tlbs = new Map<number, VirtualTlb>();
  const walk = createWalk();
  const walkHost: WalkHost = { guest: memory, memoryPolicy: null, marked() {} };
  /** The vCPU whose exit is being answered; null while the host acts. */
  let serving: VirtualCpu | null = null;

  function tlbOf(vcpu: VirtualCpu): VirtualTlb {
    const known = tlbs.get(vcpu.id);
    if (known !== undefined) return known;
    const levels = vcpu.registers.levels;
    const tlb = {
      tree: { memory: bytes, format: x86, root: bytes.allocateTable(), levels },
      fragments: new Map(),
    };
    tlbs.set(vcpu.id, tlb);
    return tlb;
  }

  function emptyTables(vcpu: VirtualCpu): void {
    const tlb = tlbOf(vcpu);
    emptyTree(tlb.tree);
    tlb.fragments.clear();
  }

  /** Everything is forgotten. Freed tables may be reused at once, so walk caches must go too. */
  function empty(vcpu: VirtualCpu): void {
    emptyTables(vcpu);
    vcpu.mmu.flushLinear();
  }

  /** Every vCPU forgets everything. */
  function emptyAll(): void {
    for (const vcpu of vcpus) emptyTables(vcpu);
    flushVcpus(vcpus, serving, "linear");
  }

  /** No reverse map says which entries map a frame, so all of them go, as at a CR3 write. */
  function unmap(start: Gfn, frames: number): void {
    const asked = new Set<number>();
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn)
      asked.add(memory.pfnOf(gfn));
    for (const vcpu of vcpus) {
      const { tree } = tlbOf(vcpu);
      forEachLeaf(tree, 0, pagesPerEntry(tree.levels + 1), ({ table, index }) => {
        const pfn = frameOf(bytes.readLow(table, index), bytes.readHigh(table, index));
        if (!asked.has(pfn)) vcpu.ledger.neighboursUnmapped += 1;
        vcpu.ledger.entriesDropped += 1;
      });
    }
    emptyAll();
  }

  function reclaim(start: Gfn, frames: number): void {
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) memory.reclaim(gfn);
    emptyAll();
  }

  function dropRegion({ tree, fragments }: VirtualTlb, region: number): void {
    for (let vpn = region * 512; vpn < region * 512 + 512; vpn++) {
      const { table, index, level } = findPlace(tree, vpn);
      if (level === 1) bytes.write(table, index, 0, 0);
    }
    fragments.delete(region);
  }

  /** The page's entry goes; if it is a fragment of a large guest page, all fragments go. */
  function forget(vcpu: VirtualCpu, vpn: Vpn): void {
    const tlb = tlbOf(vcpu);
    const region = Math.floor(vpn / 512);
    const regions = [...tlb.fragments].filter(([other, level]) => {
      return level === 3 ? Math.floor(other / 512) === Math.floor(region / 512) : other === region;
    });
    if (regions.length > 0) {
      for (const [other] of regions) dropRegion(tlb, other);
      vcpu.mmu.flushLinear();
      return;
    }
    const { table, index, level } = findPlace(tlb.tree, vpn);
    if (level === 1) bytes.write(table, index, 0, 0);
  }

  function invlpg(vcpu: VirtualCpu, vpn: Vpn): void {
    forget(vcpu, vpn);
    vcpu.mmu.invalidatePage(vpn);
  }

  function fill(vcpu: VirtualCpu, { vpn, error }: FaultingAccess): void {
    const tlb = tlbOf(vcpu);
    const pfn = memory.touch(walk.gfn);
    let { access } = walk;
    if ((error & PF_WRITE) !== 0 && (access & ACC_WRITE) === 0) {
      // CR0.WP is clear: the supervisor may store, but nobody else may use this entry.
      access = (access | ACC_WRITE) & ~ACC_USER;
    }
    const isWritable = (access & ACC_WRITE) !== 0 && memory.isWritable(walk.gfn);
    const flags = pageFor(isWritable ? access : withoutWrite(access));
    const { table, index } = makePlace(tlb.tree, vpn, 1);
    bytes.write(table, index, lowHalf(pfn, flags), highHalf(pfn, nxFor(access)));
    vcpu.ledger.entriesFilled += 1;
    if (walk.level > 1) tlb.fragments.set(Math.floor(vpn / 512), walk.level);
  }

  function pageFault(
    exit: Extract<VmExit, { reason: "page-fault" }>,
    vcpu: VirtualCpu,
  ): Resolution {
    if (!walkGuest(walkHost, vcpu, exit, walk)) {
      // A #PF drops what is cached for its address, here as in silicon.
      forget(vcpu, exit.vpn);
      vcpu.ledger.guestFaultsReflected += 1;
      return { inject: walk.error };
    }
    if (memory.isHole(walk.gfn)) {
      const access = { vpn: exit.vpn, gfn: walk.gfn, store: exit.store };
      return answerMmio(vcpu, access, { duringWalk: false, guestFrames: memory.frames });
    }
    vcpu.ledger.hiddenFaults += 1;
    if (exit.store !== null) memory.touchForWrite(walk.gfn);
    fill(vcpu, exit);
    return "resume";
  }

  function loadRoot(vcpu: VirtualCpu): void {
    empty(vcpu);
    vcpu.setHardwareRoot(tlbOf(vcpu).tree.root, 0);
  }

  function setControls(vcpu: VirtualCpu, registers: Registers): void {
    const walkMode: Registers = {
      writeProtect: true,
      globalPages: false,
      pcid: false,
      levels: registers.levels,
    };
    vcpu.setControls(shadowControls(walkMode, platform.hasVpid));
  }

  memory.attach({
    unmap,
    // Nothing finds the entries of a frame, so nobody knows when it was used.
    age: () => false,
    flush: () => undefined,
    // The slot's frames were unmapped before, and with them everything went.
    slotDeleted: () => undefined,
  });
  return {
    memory,
    boot(vcpu, _cr3, registers) {
      setControls(vcpu, registers);
      loadRoot(vcpu);
    },
    exit(exit, vcpu) {
      memory.balance();
      switch (exit.reason) {
        case "page-fault": {
          serving = vcpu;
          const resolution = pageFault(exit, vcpu);
          serving = null;
          return resolution;
        }
        case "invlpg":
          invlpg(vcpu, exit.vpn);
          return "resume";
        case "invpcid":
          // Only the current PCID has anything here: the last CR3 write emptied the rest.
          if (exit.type !== "address") empty(vcpu);
          else if (exit.pcid === vcpu.cr3.pcid) invlpg(vcpu, exit.vpn);
          return "resume";
        case "cr3-write":
        case "cr0-write":
        case "cr4-write":
          loadRoot(vcpu);
          return "resume";
        case "cr3-read":
        case "cpuid":
        case "other":
          return "resume";
        case "ept-violation":
        case "pml-full":
        case "iret":
        case "ept-misconfiguration":
        case "sub-page-event":
          return unaskedExit("shadow-vtlb", exit);
      }
    },
    host(event) {
      if (isMemoryEvent(event)) {
        memory.answer(event);
        return [];
      }
      switch (event.kind) {
        case "reclaim":
          reclaim(event.start, event.frames);
          return [];
        case "dirty-log-on":
        case "dirty-log-get":
        case "dirty-log-clear":
        case "dirty-log-off":
          // No dirty tracker is composed with it: nothing is logged, nothing reported.
          return [];
        case "vcpu-run":
        case "balance-tables":
          return [];
      }
    },
  };
}

export const shadowVtlb: Engine = {
  title: "shadow tables as a virtual TLB, which the guest's own flushes empty",
  family: "shadow",
  create: createShadowVtlb,
};
