/**
 * Turns a program's accesses and system calls into what its guest must do, in order.
 *
 * A log shows no mapping for what was there before its first line: the program itself, its stack. So the
 * first touch of a page that nothing mapped maps what is unknown of its 2 MiB: as a file if the touch is a
 * fetch (program text), as anonymous memory otherwise. The rule sees the trace alone, so every engine gets
 * the same calls.
 */
import type { Vpn } from "../../machine/address.ts";
import {
  type AccessChunk,
  addressMask,
  eventBit,
  fetchBit,
  type LackeyEvent,
  parseSystemCall,
  SystemCallReader,
} from "./lackey-events.ts";

/** Accesses per chunk: 512 KiB of columns. */
const chunkAccesses = 65_536;
const chunkBytes = chunkAccesses * Int32Array.BYTES_PER_ELEMENT;
/** Pages of the unit that a first touch maps: 2 MiB. */
const unitPages = 512;

/** States of a page: nothing known, mapped, mapped and touched. */
const unknown = 0;
const mapped = 1;
const touched = 2;

/** Pages that need no look at their unit: direct-mapped by page number. */
const recentPages = 4096;

export class LackeyPlan {
  /** Pages touched, counted again after they were unmapped: an upper bound of the memory needed. */
  pagesTouched = 0;
  systemCalls = 0;
  /** The log itself accesses page 0. */
  mapsPage0 = false;
  /** Accesses so far; one that crosses a page, or loads and then stores, counts twice. */
  accesses = 0;
  /** Those before the measured region, and the chunks that hold them. */
  setUpAccesses = 0;
  setUpChunks = 0;
  private chunks = 0;
  private low = column();
  private high = column();
  private length = 0;
  private events: LackeyEvent[] = [];
  private done: AccessChunk[] = [];
  private readonly reader = new SystemCallReader();
  private readonly units = new Map<number, Uint8Array>();
  private readonly recentLow = new Int32Array(recentPages).fill(-1);
  private readonly recentHigh = new Int32Array(recentPages).fill(-1);

  /** One access to one page; `kind` is `storeBit`, `fetchBit` or 0. */
  access(low: number, high: number, kind: number): void {
    const page = low >>> 12;
    const slot = page & (recentPages - 1);
    if (this.recentLow[slot] !== page || this.recentHigh[slot] !== high) {
      this.touch(high * 0x10_0000 + page, kind);
      this.recentLow[slot] = page;
      this.recentHigh[slot] = high;
    }
    const at = this.length;
    this.low[at] = low;
    this.high[at] = high | kind;
    this.length = at + 1;
    if (this.length === chunkAccesses) this.endChunk();
  }

  /** A line that begins with SYSCALL. */
  systemCall(text: string): void {
    const call = parseSystemCall(text);
    if (call === null) return;
    this.systemCalls += 1;
    for (const event of this.reader.events(call)) this.apply(event);
  }

  /** Set-up ends here, and so does the chunk. */
  measure(): void {
    this.endChunk();
    this.setUpAccesses = this.accesses;
    this.setUpChunks = this.chunks;
    this.append({ kind: "measure" });
  }

  /** What is left of the last chunk. */
  end(): void {
    this.endChunk();
  }

  /** Chunks finished since the last call. */
  take(): AccessChunk[] {
    const { done } = this;
    this.done = [];
    return done;
  }

  private apply(event: LackeyEvent): void {
    this.append(event);
    if (event.kind === "map") this.mark(event.vpn, event.pages, mapped);
    if (event.kind === "unmap") this.mark(event.vpn, event.pages, unknown);
  }

  private mark(from: number, pages: number, state: number): void {
    this.recentLow.fill(-1);
    for (let page = from; page < from + pages;) {
      const slot = page % unitPages;
      const count = Math.min(unitPages - slot, from + pages - page);
      this.unit(page).fill(state, slot, slot + count);
      page += count;
    }
  }

  private unit(page: number): Uint8Array {
    const number = Math.floor(page / unitPages);
    const known = this.units.get(number);
    if (known !== undefined) return known;
    const fresh = new Uint8Array(unitPages);
    this.units.set(number, fresh);
    return fresh;
  }

  private touch(page: number, kind: number): void {
    const unit = this.unit(page);
    const slot = page % unitPages;
    if (unit[slot] === touched) return;
    if (unit[slot] === unknown) this.mapUnknown(unit, page, kind);
    unit[slot] = touched;
    this.pagesTouched += 1;
  }

  /** Maps each run of unknown pages of the unit of `page`. */
  private mapUnknown(unit: Uint8Array, page: number, kind: number): void {
    const file = kind === fetchBit ? this.reader.nextFile() : null;
    const base = page - (page % unitPages);
    // Page 0 stays unmapped in every real program; course traces made by hand use it.
    if (page === 0) this.mapsPage0 = true;
    for (let slot = base === 0 && page !== 0 ? 1 : 0; slot < unitPages; slot++) {
      if (unit[slot] !== unknown) continue;
      const start = slot;
      while (slot < unitPages && unit[slot] === unknown) slot += 1;
      unit.fill(mapped, start, slot);
      const vpn = (base + start) as Vpn;
      this.append({ kind: "map", vpn, pages: slot - start, access: "read-write", file });
    }
  }

  private append(event: LackeyEvent): void {
    this.low[this.length] = this.events.push(event) - 1;
    this.high[this.length] = eventBit;
    this.length += 1;
    if (this.length === chunkAccesses) this.endChunk();
  }

  private endChunk(): void {
    const { low, high, length, events } = this;
    if (length === 0) return;
    this.done.push({ low, high, length, events });
    this.accesses += length - events.length;
    this.chunks += 1;
    this.low = column();
    this.high = column();
    this.length = 0;
    this.events = [];
  }
}

/** Shared memory, so that a decoded trace can be handed to other threads without a copy. */
function column(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(chunkBytes));
}

/** Page number of an entry that is an access. */
export function pageOf(low: number, high: number): Vpn {
  return ((high & addressMask) * 0x10_0000 + (low >>> 12)) as Vpn;
}
