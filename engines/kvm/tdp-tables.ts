/**
 * The nested tables of Linux KVM's TDP MMU: one tree per VM, filled one entry per fault, on AMD's and Intel's silicon.
 *
 * What a format's record says is all that differs between the two: how a leaf is written, and whether a logged page is
 * armed by taking W or, where silicon keeps a log of its own, by taking D.
 *
 * Source: KVM arch/x86/kvm/mmu/tdp_mmu.c, spte.c `make_spte`, `make_mmio_spte`; rules 4, 11 to 13 and 17 of
 * results/groundtruth, P1 to P10 and M1 of results/groundtruth/intel.
 */
import { type Gfn, levelOfOrder, pagesPerEntry } from "../../machine/address.ts";
import { asLarge, isWritable, withWrite, withoutWrite } from "../../machine/formats/x86-entry.ts";
import type { Resolution, VmExit } from "../../machine/exits.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { EngineOptions } from "../../hypervisor/engine.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { flushVcpus } from "../../hypervisor/flush.ts";
import { createHostMemory } from "../../hypervisor/memory/host-memory.ts";
import { type FrameRange, largeAround } from "../../hypervisor/dirty/frame-ranges.ts";
import { neighboursIn } from "../../hypervisor/memory/notifier.ts";
import { answerMmio } from "../../hypervisor/memory/slots.ts";
import { DirtyLog } from "./dirty-log.ts";
import { MMU_WRITABLE } from "./entries.ts";
import type { TdpFormat } from "./tdp-format.ts";
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
} from "../../hypervisor/tables/radix.ts";

type EptViolation = Extract<VmExit, { readonly reason: "ept-violation" }>;
type EptMisconfiguration = Extract<VmExit, { readonly reason: "ept-misconfiguration" }>;

export class TdpTables {
  readonly memory;
  readonly tree: RadixTree;
  private readonly platform: Platform;
  private readonly format: TdpFormat;
  private readonly bytes;
  private readonly log: DirtyLog;
  /** The VM's own counts: gauges and host events. */
  private readonly ledger;
  /** The vCPU whose fault is being answered; null while the host acts. */
  private serving: VirtualCpu | null = null;

  constructor(platform: Platform, format: TdpFormat, options: EngineOptions | undefined) {
    this.platform = platform;
    this.format = format;
    this.bytes = platform.memory;
    this.log = new DirtyLog(platform.guestFrames, options?.dirtyLog?.armedBy);
    this.ledger = platform.vcpus[0]!.ledger;
    this.memory = createHostMemory(platform);
    this.memory.attach({
      unmap: (start, frames) => this.unmap({ start, frames }),
      age: (gfn) => this.age(gfn),
      flush: () => this.flush(),
      slotDeleted: () => this.unmap({ start: 0 as Gfn, frames: platform.guestFrames }),
    });
    this.tree = {
      memory: this.bytes,
      format: format.entries,
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
    if (this.memory.isHole(gfn)) {
      const resolution = answerMmio(vcpu, exit, { duringWalk, guestFrames });
      this.markMmio(gfn);
      return resolution;
    }
    if (isWrite) {
      this.serving = vcpu;
      this.memory.touchForWrite(gfn);
      this.serving = null;
    }
    const place = findPlace(this.tree, gfn);
    const low = this.low(place);
    if (!this.format.entries.isPresent(low)) {
      this.map(gfn);
      vcpu.ledger.faultsFixed += 1;
    } else if (isWrite && !isWritable(low)) {
      this.bytes.write(place.table, place.index, withWrite(low), this.high(place));
      this.log.mark(gfn);
      vcpu.ledger.faultsFixed += 1;
      vcpu.ledger.faultsFast += 1;
    } else {
      vcpu.ledger.faultsSpurious += 1;
    }
    return "resume";
  }

  /** Silicon knows the frame for MMIO from now on, if there is a way to tell it. */
  private markMmio(gfn: Gfn): void {
    if (this.format.mmio === 0) return;
    const { table, index } = makePlace(this.tree, gfn, 1);
    this.bytes.write(table, index, this.format.mmio, 0);
  }

  /** What silicon took for MMIO: answered as such, or a frame that has a slot again. Null if nothing says so. */
  mmio(exit: EptMisconfiguration, vcpu: VirtualCpu): Resolution | null {
    const { gfn, duringWalk } = exit;
    const place = findPlace(this.tree, gfn);
    if (this.format.mmio === 0 || this.low(place) !== this.format.mmio) return null;
    const { guestFrames } = this.platform;
    if (this.memory.isHole(gfn))
      return answerMmio(vcpu, exit, { duringWalk, guestFrames, isKnown: true });
    this.bytes.write(place.table, place.index, 0, 0);
    return "resume";
  }

  /** Maps writable whatever the access was, so in a logged range a read counts as a write. */
  private map(gfn: Gfn): void {
    const pfn = this.memory.touch(gfn);
    const mayStore = this.memory.isWritable(gfn);
    const { leafFlags } = this.format;
    const flags = mayStore ? leafFlags : withoutWrite(leafFlags & ~MMU_WRITABLE);
    const leaf = this.placeFor(gfn);
    const first = pfn - (gfn % pagesPerEntry(leaf.level));
    this.bytes.writeEntry(leaf.table, leaf.index, first, leaf.level > 1 ? asLarge(flags) : flags);
    this.ledger.entriesFilled += 1;
    this.countLeaves(leaf.level, 1);
    if (mayStore) this.log.mark(gfn);
  }

  /** Where the leaf for `gfn` goes: as large as the host's page, the log and what is there already allow. */
  private placeFor(gfn: Gfn): EntryPlace {
    for (let level = levelOfOrder(this.memory.orderOf(gfn)) as number; level > 1; level--) {
      if (this.log.touches(gfn, level)) continue;
      const place = makePlace(this.tree, gfn, level);
      if (!this.isPresent(place)) return place;
    }
    return makePlace(this.tree, gfn, 1);
  }

  dirtyLogOn(range: FrameRange): void {
    this.log.on(range);
    if (this.log.isInitiallySet) return;
    this.split(range);
    this.forEach(range, (place) => this.arm(place));
    this.flush();
  }

  dirtyLogGet(): readonly Gfn[] {
    const { reported, armed } = this.log.get();
    this.ledger.dirtyPagesReported += reported.length;
    this.armFrames(armed);
    return reported;
  }

  dirtyLogClear(range: FrameRange): void {
    const frames = this.log.clear(range);
    // Where logging started without splitting anything, the first clear does it.
    if (this.log.isInitiallySet) {
      for (const start of new Set(frames.map((gfn) => largeAround(gfn, 2).start))) {
        this.split({ start, frames: 512 });
      }
    }
    this.armFrames(frames);
  }

  /** The frames that are logged, and whether any are. */
  get isLogging(): boolean {
    return this.log.isOn;
  }

  /** A write that silicon noted by itself. */
  mark(gfn: Gfn): void {
    this.log.mark(gfn);
  }

  private armFrames(frames: readonly Gfn[]): void {
    for (const gfn of frames) {
      const place = findPlace(this.tree, gfn);
      if (this.isPresent(place)) this.arm(place);
    }
    if (frames.length > 0) this.flush();
  }

  private split(range: FrameRange): void {
    splitLeaves(this.tree, { start: range.start, pages: range.frames }, ({ level }) => {
      this.ledger.hugePagesSplit += 1;
      this.countLeaves(level, -1);
      this.countLeaves(level - 1, 512);
    });
  }

  /** Tables of small entries go where the host has a large page; small ones elsewhere stay protected. */
  dirtyLogOff(only?: FrameRange): void {
    for (const { start, frames } of this.log.off(only)) {
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

  private isPresent(place: EntryPlace): boolean {
    return this.format.entries.isPresent(this.low(place));
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
    forEachLeaf(this.tree, start, frames, (place, page) => {
      if (this.isPresent(place)) visit(place, page);
    });
  }

  /** The next write through the leaf is noticed: it faults, or silicon logs it as it sets D. */
  private arm(place: EntryPlace): void {
    const { dirtyToLog } = this.format;
    const low = this.low(place);
    const bit = dirtyToLog === 0 ? this.format.entries.write : dirtyToLog;
    if ((low & bit) === 0) return;
    this.bytes.write(place.table, place.index, low & ~bit, this.high(place));
    if (dirtyToLog === 0) this.ledger.entriesWriteProtected += 1;
    else this.ledger.entriesDirtyCleared += 1;
  }

  /** Without A bits the leaf goes, and its next use exits: access tracking. */
  private age(gfn: Gfn): boolean {
    const { accessed } = this.format;
    const place = findPlace(this.tree, gfn);
    if (accessed !== 0) return takeAccessed(this.bytes, [place], accessed);
    if (!this.isPresent(place)) return false;
    this.drop(place);
    return true;
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
