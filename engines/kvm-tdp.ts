/**
 * NPT as Linux KVM's TDP MMU drives it: one nested tree per VM, filled one entry per fault.
 *
 * Buys: the guest's stores, INVLPG and CR3 loads run without exits. Pays: one nested page fault per first use
 * of each host page, prefetching nothing; splitting every large page when dirty logging starts.
 *
 * Source: KVM arch/x86/kvm/mmu/tdp_mmu.c; rules 4, 11 to 13 and 17 of results/groundtruth.
 */
import { type Gfn, levelOfOrder, pagesPerEntry } from "../machine/address.ts";
import { A, D, P, PS, U, W } from "../machine/entry.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { Resolution, VmExit } from "../machine/exits.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import { nptStage, twoStages } from "../machine/stages.ts";
import type { Platform } from "../hypervisor/platform.ts";
import { nestedControls, unaskedExit } from "../hypervisor/controls.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { flushVcpus } from "../hypervisor/flush.ts";
import { createHostMemory, isMemoryEvent } from "../hypervisor/memory/host-memory.ts";
import { type FrameRange, largeAround } from "../hypervisor/dirty/frame-ranges.ts";
import { neighboursIn } from "../hypervisor/memory/notifier.ts";
import { answerMmio } from "../hypervisor/memory/slots.ts";
import { DirtyLog } from "./kvm/dirty-log.ts";
import { MMU_WRITABLE } from "./kvm/entries.ts";
import {
  childTable,
  cutBranch,
  type EntryPlace,
  findPlace,
  findPlaceAt,
  forEachLeaf,
  makePlace,
  type RadixTree,
  splitLeaves,
  takeAccessed,
} from "../hypervisor/tables/radix.ts";

const leafFlags = P | W | U | A | D | MMU_WRITABLE;

type EptViolation = Extract<VmExit, { readonly reason: "ept-violation" }>;

class NestedTables {
  readonly memory;
  readonly tree: RadixTree;
  private readonly platform: Platform;
  private readonly bytes;
  private readonly log: DirtyLog;
  /** The VM's own counts: gauges and host events. */
  private readonly ledger;
  /** The vCPU whose fault is being answered; null while the host acts. */
  private serving: VirtualCpu | null = null;

  constructor(platform: Platform) {
    this.platform = platform;
    this.bytes = platform.memory;
    this.log = new DirtyLog(platform.guestFrames);
    this.ledger = platform.vcpus[0]!.ledger;
    this.memory = createHostMemory(platform);
    this.memory.attach({
      unmap: (start, frames) => this.unmap({ start, frames }),
      age: (gfn) => takeAccessed(this.bytes, [findPlace(this.tree, gfn)], A),
      flush: () => this.flush(),
      slotDeleted: () => this.unmap({ start: 0 as Gfn, frames: platform.guestFrames }),
    });
    this.tree = {
      memory: this.bytes,
      root: this.bytes.allocateTable(),
      levels: platform.nestedLevels,
      onTable: () => {
        this.ledger.nestedTablesMade += 1;
      },
    };
    this.ledger.nestedTablesMade += 1;
  }

  /** Answers a nested page fault: lifts logging's protection, or maps. */
  fault(exit: EptViolation, vcpu: VirtualCpu): Resolution {
    const { gfn, duringWalk } = exit;
    const isWrite = exit.access === "write";
    this.memory.check(gfn, exit.vpn);
    const { guestFrames } = this.platform;
    if (this.memory.isHole(gfn)) return answerMmio(vcpu, exit, { duringWalk, guestFrames });
    if (isWrite) {
      this.serving = vcpu;
      this.memory.touchForWrite(gfn);
      this.serving = null;
    }
    const place = findPlace(this.tree, gfn);
    const low = this.low(place);
    if ((low & P) === 0) {
      this.map(gfn);
      vcpu.ledger.faultsFixed += 1;
    } else if (isWrite && (low & W) === 0) {
      this.bytes.write(place.table, place.index, low | W, this.high(place));
      this.log.mark(gfn);
      vcpu.ledger.faultsFixed += 1;
      vcpu.ledger.faultsFast += 1;
    } else {
      vcpu.ledger.faultsSpurious += 1;
    }
    return "resume";
  }

  /** Maps writable whatever the access was, so in a logged range a read counts as a write. */
  private map(gfn: Gfn): void {
    const pfn = this.memory.touch(gfn);
    const isWritable = this.memory.isWritable(gfn);
    const flags = isWritable ? leafFlags : leafFlags & ~(W | MMU_WRITABLE);
    const leaf = this.placeFor(gfn);
    const first = pfn - (gfn % pagesPerEntry(leaf.level));
    this.bytes.writeEntry(leaf.table, leaf.index, first, leaf.level > 1 ? flags | PS : flags);
    this.ledger.entriesFilled += 1;
    this.countLeaves(leaf.level, 1);
    if (isWritable) this.log.mark(gfn);
  }

  /** Where the leaf for `gfn` goes: as large as the host's page, the log and what is there already allow. */
  private placeFor(gfn: Gfn): EntryPlace {
    for (let level = levelOfOrder(this.memory.orderOf(gfn)) as number; level > 1; level--) {
      if (this.log.touches(gfn, level)) continue;
      const place = makePlace(this.tree, gfn, level);
      if ((this.low(place) & P) === 0) return place;
    }
    return makePlace(this.tree, gfn, 1);
  }

  dirtyLogOn(range: FrameRange): void {
    this.log.on(range);
    splitLeaves(this.tree, { start: range.start, pages: range.frames }, ({ level }) => {
      this.ledger.hugePagesSplit += 1;
      this.countLeaves(level, -1);
      this.countLeaves(level - 1, 512);
    });
    this.forEach(range, (place) => this.protect(place));
    this.flush();
  }

  dirtyLogGet(): readonly Gfn[] {
    const frames = this.log.take();
    this.ledger.dirtyPagesReported += frames.length;
    for (const gfn of frames) {
      const place = findPlace(this.tree, gfn);
      if ((this.low(place) & P) !== 0) this.protect(place);
    }
    if (frames.length > 0) this.flush();
    return frames;
  }

  /** Tables of small entries go where the host has a large page; small ones elsewhere stay protected. */
  dirtyLogOff(): void {
    for (const { start, frames } of this.log.off()) {
      for (let gfn = start as number; gfn < start + frames;) {
        const level = levelOfOrder(this.memory.orderOf(gfn as Gfn));
        const large = largeAround(gfn as Gfn, level);
        if (level > 1) this.unlink(large, level);
        gfn = Math.max(large.start + large.frames, gfn - (gfn % 512) + 512);
      }
    }
    this.flush();
  }

  reclaim(range: FrameRange): void {
    this.unmap(range);
    for (let gfn = range.start; gfn < range.start + range.frames; gfn = (gfn + 1) as Gfn) {
      this.memory.reclaim(gfn);
    }
  }

  private unmap(range: FrameRange): void {
    this.forEach(range, (place, page) => {
      const large = { first: page, frames: pagesPerEntry(place.level) };
      if (place.level > 1) this.ledger.neighboursUnmapped += neighboursIn(large, range);
      this.drop(place);
    });
    this.flush();
  }

  private low(place: EntryPlace): number {
    return this.bytes.readLow(place.table, place.index);
  }

  private high(place: EntryPlace): number {
    return this.bytes.readHigh(place.table, place.index);
  }

  private forEach(
    { start, frames }: FrameRange,
    visit: (place: EntryPlace, page: number) => void,
  ): void {
    forEachLeaf(this.tree, start, frames, visit);
  }

  private protect(place: EntryPlace): void {
    const low = this.low(place);
    if ((low & W) === 0) return;
    this.bytes.write(place.table, place.index, low & ~W, this.high(place));
    this.ledger.entriesWriteProtected += 1;
  }

  private drop(place: EntryPlace): void {
    this.bytes.write(place.table, place.index, 0, 0);
    this.ledger.entriesDropped += 1;
    this.countLeaves(place.level, -1);
  }

  /** What `pages_4k` and `pages_2m` say; pages of 1 GiB are not among what was measured. */
  private countLeaves(level: number, change: number): void {
    if (level === 1) this.ledger.leafEntries4kNow += change;
    else if (level === 2) this.ledger.leafEntries2mNow += change;
  }

  /** Drops the tables of smaller entries for one host page. */
  private unlink(large: FrameRange, level: number): void {
    const place = findPlaceAt(this.tree, large.start, level);
    if (place === null || childTable(this.tree, place) === null) return;
    this.forEach(large, (leaf) => this.drop(leaf));
    cutBranch(this.tree, place);
  }

  private flush(): void {
    flushVcpus(this.platform.vcpus, this.serving, "nested");
  }
}

function createKvmTdp(platform: Platform): Hypervisor {
  const tables = new NestedTables(platform);
  const { root, levels } = tables.tree;
  // CR4 writes are always intercepted on SVM.
  const controls = {
    ...nestedControls(twoStages(nptStage(root, levels)), platform.hasVpid),
    exitOnCr0Write: true,
    exitOnCr4Write: true,
  };
  return {
    memory: tables.memory,
    boot(vcpu, cr3) {
      vcpu.setControls(controls);
      vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit(exit, vcpu) {
      tables.memory.balance();
      return answer(tables, exit, vcpu);
    },
    host: (event) => answerHost(tables, event),
  };
}

function answer(tables: NestedTables, exit: VmExit, vcpu: VirtualCpu): Resolution {
  switch (exit.reason) {
    case "ept-violation":
      return tables.fault(exit, vcpu);
    case "cpuid":
    case "cr0-write":
    case "cr4-write":
      return "resume";
    case "page-fault":
    case "cr3-write":
    case "cr3-read":
    case "invlpg":
    case "invpcid":
    case "pml-full":
      return unaskedExit("kvm-tdp", exit);
  }
}

function answerHost(tables: NestedTables, event: HostEvent): readonly Gfn[] {
  if (isMemoryEvent(event)) {
    tables.memory.answer(event);
    return [];
  }
  switch (event.kind) {
    case "dirty-log-on":
      tables.dirtyLogOn(event);
      return [];
    case "dirty-log-get":
      return tables.dirtyLogGet();
    case "dirty-log-off":
      tables.dirtyLogOff();
      return [];
    case "reclaim":
      tables.reclaim(event);
      return [];
    case "dirty-log-clear":
      // Without manual protect, as the log is here, a get arms again what it reports.
      return [];
    case "vcpu-run":
      return [];
  }
}

export const kvmTdp: Engine = {
  title: "NPT as Linux's TDP MMU drives it",
  family: "nested",
  create: createKvmTdp,
};
