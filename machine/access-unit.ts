/**
 * Performs the accesses of a requester, a vCPU's or a device's: batches of them, single ones, page copies.
 *
 * Loads, stores and fetches of unknown value are appended to the MMU's columns and run in batches. A batch
 * stops at a faulting access: the requester says what becomes of it, then the batch resumes. What a fault's
 * handler accesses itself goes behind the unfinished batch, so that what is left of it stays.
 */
import type { Pfn, Vpn } from "./address.ts";
import { assert } from "./assert.ts";
import type { PendingStore } from "./exits.ts";
import type { FrameContents, PhysicalMemory } from "./memory.ts";
import { batchLength, columnLength, HIGH_MASK, type Mmu, STORE, USER, WHOLE_PAGE } from "./mmu.ts";
import type { Observer } from "./observer.ts";

/** An access that stops more often than this is a hypervisor that makes no progress. */
const stopsPerAccessMax = 1000;

const dataStore: PendingStore = { kind: "data" };

/**
 * What a page copy has loaded and has yet to store. Contents, not a frame: the exits of the store come in between,
 * and the hypervisor may give the frame away in any of them.
 *
 * Model: silicon copies a page piece by piece and loads a piece again after each exit; here the whole page is loaded
 * once. Bias: none, nobody else stores to it meanwhile.
 */
interface LoadedPage {
  readonly contents: FrameContents;
  /** The observer's name for them. */
  readonly version: number;
}

/**
 * Who makes accesses. A vCPU answers a fault by an exit or by its guest's handler, a device by a record in a queue.
 */
export interface Requester {
  /** What observers know it by. */
  readonly id: number;
  /**
   * Translation stopped the access at `vpn`; the MMU says why. `high` is its column, `store` what it would store, if it
   * is one. Done again, or done with: somebody else did it, or it is given up.
   */
  stopped(vpn: Vpn, offset: number, high: number, store: PendingStore | null): "again" | "done";
}

/** Fires between two accesses whenever some `period` of them are done. */
interface AccessTimer {
  readonly period: number;
  left: number;
  readonly fire: () => void;
}

export class AccessUnit {
  readonly mmu: Mmu;
  observer: Observer | null = null;
  timer: AccessTimer | null = null;
  private readonly memory: PhysicalMemory;
  private readonly requester: Requester;
  private userBit = 0;
  private base = 0;
  private length = 0;
  private pending: PendingStore = dataStore;
  private pendingCopy: LoadedPage | null = null;
  private stopsHere = 0;

  constructor(mmu: Mmu, memory: PhysicalMemory, requester: Requester) {
    this.mmu = mmu;
    this.memory = memory;
    this.requester = requester;
  }

  setPrivilege(mode: "user" | "supervisor"): void {
    this.userBit = mode === "user" ? USER : 0;
  }

  /** Adds one access to the batch; `kind` is `STORE`, `FETCH` or 0. */
  append(vpn: Vpn, offset: number, kind: number): void {
    if (this.length - this.base >= batchLength) this.drain();
    const at = this.length;
    // `<<` takes the number modulo 2^32, which is what the low half wants of a 45-bit page number.
    this.mmu.low[at] = (vpn << 12) | offset;
    this.mmu.high[at] = ((vpn / 0x10_0000) & HIGH_MASK) | kind | this.userBit;
    this.length = at + 1;
  }

  /** Runs everything appended so far. */
  drain(): void {
    let index = this.base;
    while (index < this.length) {
      // A checker wants to see every access; otherwise the MMU keeps the whole batch to itself.
      const to = this.observer === null ? this.length : index + 1;
      const done = this.mmu.run(index, to);
      // Progress, even if the next access stops too.
      if (done > index) this.stopsHere = 0;
      if (done < to) {
        index = this.stopped(done);
      } else {
        if (this.observer !== null) this.observe(index);
        index = done;
      }
    }
    const { timer } = this;
    if (timer !== null) timer.left -= this.length - this.base;
    this.length = this.base;
    if (timer === null || timer.left > 0) return;
    timer.left = timer.period;
    timer.fire();
  }

  /** One access by itself; false when the guest abandoned it. */
  single(vpn: Vpn, offset: number, kind: number, store: PendingStore = dataStore): boolean {
    this.drain();
    this.append(vpn, offset, store.kind === "page" ? kind | WHOLE_PAGE : kind);
    const index = this.base;
    for (;;) {
      if (this.mmu.run(index, index + 1) > index) break;
      this.pending = store;
      const next = this.stopped(index);
      this.pending = dataStore;
      if (next > index) {
        this.length = this.base;
        return false;
      }
    }
    this.stopsHere = 0;
    this.length = this.base;
    if (this.observer !== null) this.observe(index);
    if (store !== dataStore) {
      this.pending = store;
      this.completeStore(this.mmu.lastPfn());
      this.pending = dataStore;
    }
    return true;
  }

  /** Two pages through two mappings: the load at `from` decides what the store at `to` writes. */
  copy(to: Vpn, from: Vpn): void {
    if (!this.single(from, 0, 0)) return;
    const pfn = this.mmu.lastPfn();
    const version = this.observer === null ? 0 : this.observer.copying(this.requester.id, pfn);
    this.pendingCopy = { contents: this.memory.contentsOf(pfn), version };
    this.single(to, 0, STORE, { kind: "page" });
    this.pendingCopy = null;
  }

  /** Bytes change as the pending store says, in this frame. */
  completeStore(pfn: Pfn): void {
    const { memory, pending, observer, requester } = this;
    if (pending.kind === "data") return;
    observer?.storing(requester.id, pfn, pending);
    if (pending.kind === "entry") {
      memory.write(pfn, pending.index, pending.low, pending.high);
    } else {
      if (this.pendingCopy === null) {
        memory.zero(pfn);
      } else {
        memory.fill(pfn, this.pendingCopy.contents);
        observer?.copied(requester.id, pfn, this.pendingCopy.version);
      }
    }
  }

  private observe(index: number): void {
    const low = this.mmu.low[index]!;
    const high = this.mmu.high[index]!;
    const vpn = ((high & HIGH_MASK) * 0x10_0000 + (low >>> 12)) as Vpn;
    this.observer!.access(this.requester.id, vpn, high, this.mmu.lastPfn(), low & 0xfff);
  }

  /** The access at `index` stopped the batch. Returns the index to go on with. */
  private stopped(index: number): number {
    const { mmu } = this;
    const low = mmu.low[index]!;
    const high = mmu.high[index]!;
    const vpn = ((high & HIGH_MASK) * 0x10_0000 + (low >>> 12)) as Vpn;
    const offset = low & 0xfff;
    const store = high < 0 ? this.pending : null;
    this.stopsHere += 1;
    assert(
      this.stopsHere <= stopsPerAccessMax,
      () => `vcpu ${this.requester.id}: vpn ${vpn} exits for ever`,
    );
    if (this.requester.stopped(vpn, offset, high, store) === "again") return index;
    this.stopsHere = 0;
    return index + 1;
  }

  /** What stopped the access has been dealt with for good: it may stop for another reason. */
  progressed(): void {
    this.stopsHere = 0;
  }

  /** Runs code in supervisor mode, as a fault's handler does. */
  inSupervisor<T>(body: () => T): T {
    const { userBit } = this;
    this.userBit = 0;
    const result = this.aside(body);
    this.userBit = userBit;
    return result;
  }

  /** Other guest code runs here, behind the unfinished batch, so that what is left of it stays. */
  aside<T>(body: () => T): T {
    const { base, length, pending, pendingCopy, stopsHere } = this;
    assert(
      length + batchLength <= columnLength,
      () => `vcpu ${this.requester.id}: page faults nest too deep`,
    );
    this.base = length;
    this.pendingCopy = null;
    const result = body();
    this.drain();
    this.base = base;
    this.length = length;
    this.pending = pending;
    this.pendingCopy = pendingCopy;
    this.stopsHere = stopsHere;
    return result;
  }
}
