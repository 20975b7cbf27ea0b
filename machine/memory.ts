/**
 * Simulated physical memory: real bytes for every frame that holds known values, nothing for the rest.
 *
 * A frame gets bytes ("a slot" in one big arena) when something stores a value into it: page tables, the
 * PML buffer. Data frames that only see stores of unknown values stay slotless and read as zero. Each
 * frame also has a version stamp, advanced by checked stores, so that copies can be checked.
 */
import type { Pfn } from "./address.ts";
import { assert } from "./assert.ts";
import { highHalf, lowHalf } from "./formats/x86-entry.ts";
import { FrameUse, nodeOfFrame } from "./frame-use.ts";

/** Frames with bytes, where nobody asks for more or fewer and the guest is not a large one: 256 MiB of tables. */
const slotsUsual = 65_536;

/** What a frame holds, kept outside memory: on a swap device, on a wire. */
export interface FrameContents {
  /** Its bytes; null when it has none. */
  readonly words: Int32Array | null;
  readonly stamp: number;
}

/** Stamp of a frame whose contents are elsewhere: no page has this version, so whoever still uses it is found out. */
export const vacated = -1;

/** int32 words per 4 KiB frame, and log2 of it: `slot << 10` is the arena index of a frame's first word. */
export const wordsPerFrame = 1024;
const frameShift = 10;
export const slotShift = frameShift;

export interface MemorySize {
  /** Guest-physical frames of 4 KiB; host frames [0, guestFrames) back them. */
  readonly guestFrames: number;
  /** Host frames for the hypervisor's own tables. */
  readonly tableFrames: number;
  /** Frames that may ever hold bytes: guest tables plus hypervisor tables. Address space, not RSS. */
  readonly slotsMax?: number;
  /** Nodes that the frames lie on, guest memory and the rest each in equal parts; absent: 1. */
  readonly nodes?: number;
}

/**
 * Enough for a guest that maps every frame: as many leaf tables as 1 in 512, as many above an address space with
 * holes, and the hypervisor's twice that. 64 GiB take 327 680 slots (2 GiB of address space with `next`).
 */
function slotsFor(guestFrames: number): number {
  return Math.max(slotsUsual, Math.ceil((guestFrames * 5) / 256));
}

export class PhysicalMemory {
  /** The arena: entry e of slot s is `words[(s << 10) | (e << 1)]` (low) and the next word (high). */
  readonly words: Int32Array;
  /** Frame to slot; 0 means the frame has no bytes. Slot 0 is a frame of zeros that nobody writes. */
  readonly slotOf: Int32Array;
  readonly pfnOfSlot: Int32Array;
  /**
   * Beside each entry, the arena word at which the table that it points to starts, or 0 when unknown.
   * Saves the dependent load of `slotOf` per nested walk reference (1.24x on 2D walks). `write` clears it.
   */
  readonly next: Int32Array;
  /** Version stamp per frame (4 KiB); only checked runs advance it. */
  readonly stamps: Int32Array;
  /** Frames of the guest, and of guest and hypervisor together. Only `reset` changes them. */
  guestFrames: number;
  frames: number;
  nodes: number;
  /** Where tables are made that nobody asks a node for. */
  tableNode = 0;
  /** Who uses what since the last reset: what others know of the memory, they know of this. */
  private use: FrameUse;

  /** `room` is the largest size that a `reset` may ask for. */
  constructor(size: MemorySize, room = size) {
    this.guestFrames = size.guestFrames;
    this.frames = size.guestFrames + size.tableFrames;
    this.nodes = size.nodes ?? 1;
    const { slotsMax = slotsFor(room.guestFrames) } = room;
    this.slotOf = new Int32Array(room.guestFrames + room.tableFrames);
    this.stamps = new Int32Array(room.guestFrames + room.tableFrames);
    // Typed arrays are committed page by page on first touch, so room that is not used costs nothing.
    this.words = new Int32Array(slotsMax * wordsPerFrame);
    this.next = new Int32Array((slotsMax * wordsPerFrame) / 2);
    this.pfnOfSlot = new Int32Array(slotsMax);
    this.use = new FrameUse(this);
  }

  /** Stands for what happens between two resets. */
  get life(): object {
    return this.use;
  }

  /** Could this memory, emptied, serve as one of that size? */
  holds({ guestFrames, tableFrames, slotsMax = slotsFor(guestFrames) }: MemorySize): boolean {
    return guestFrames + tableFrames <= this.slotOf.length && slotsMax <= this.pfnOfSlot.length;
  }

  /** Power-on again, as memory of that size: zeros, no frame in use. */
  reset(size: MemorySize): void {
    assert(this.holds(size), `memory: ${size.guestFrames} frames do not fit into this one`);
    this.slotOf.fill(0, 0, this.frames);
    this.stamps.fill(0, 0, this.frames);
    this.words.fill(0, 0, this.use.slotsUsed << frameShift);
    this.next.fill(0, 0, this.use.slotsUsed << (frameShift - 1));
    this.guestFrames = size.guestFrames;
    this.frames = size.guestFrames + size.tableFrames;
    this.nodes = size.nodes ?? 1;
    this.tableNode = 0;
    this.use = new FrameUse(this);
  }

  /** The node that the frame lies on. */
  nodeOf(pfn: Pfn): number {
    return this.nodes === 1 ? 0 : nodeOfFrame(this, pfn);
  }

  /** A zeroed frame for a hypervisor table, on the node if there is one left. */
  allocateTable(node = this.tableNode): Pfn {
    const pfn = this.use.takeTable(node);
    this.zero(pfn);
    return pfn;
  }

  /**
   * So many zeroed frames one after another, the first at a multiple of their number; null where there are none. Their bytes
   * lie one after another too, which `runOf` finds.
   */
  allocateTables(frames: number): Pfn | null {
    const first = this.use.takeTables(frames);
    if (first === null) return null;
    for (let i = 0; i < frames; i++) this.zero((first + i) as Pfn);
    for (let i = 0; i < frames; i++) this.slot((first + i) as Pfn);
    return first;
  }

  /** Where the words of the first frame begin, if those of all follow one another in the arena; else 0. */
  runOf(first: Pfn, frames: number): number {
    if (first + frames > this.frames) return 0;
    const slot = this.slotOf[first]!;
    for (let i = 0; i < frames; i++) if (this.slotOf[first + i] !== slot + i) return 0;
    return slot << frameShift;
  }

  /** A frame outside guest order, for a guest page whose first frame the host took away. */
  allocateSpare(): Pfn {
    const pfn = this.use.takeSpare();
    this.zero(pfn);
    return pfn;
  }

  /** The first of so many frames in a row, a multiple of `align`: memory of a guest's that its own frames are too few for. */
  reserve(frames: number, align: number): Pfn {
    return this.use.takeRow(frames, align);
  }

  /** The version of the frame's data. */
  stampOf(pfn: Pfn): number {
    return this.stamps[pfn]!;
  }

  freeTable(pfn: Pfn): void {
    this.use.freeTable(pfn);
  }

  isShared(pfn: Pfn): boolean {
    return this.use.isShared(pfn);
  }

  /** One more user of the frame. */
  share(pfn: Pfn): void {
    this.use.share(pfn);
  }

  /** One user less; without any the frame is free, unless it is a guest page's own place. */
  release(pfn: Pfn): void {
    if (this.use.release(pfn)) this.stamps[pfn] = vacated;
  }

  /** Frames that it would take beyond those in use, if nobody shared any. */
  get framesSaved(): number {
    return this.use.framesSaved;
  }

  /** The most that these were. */
  get framesSavedPeak(): number {
    return this.use.framesSavedPeak;
  }

  /** The slot of `pfn`, given bytes now if it has none. */
  slot(pfn: Pfn): number {
    const slot = this.slotOf[pfn]!;
    // Not `!== 0`: a frame that does not exist has no slot at all, and is refused below.
    if (slot > 0) return slot;
    assert(pfn >= 0 && pfn < this.frames, `memory: frame ${pfn} of ${this.frames} does not exist`);
    const fresh = this.use.slotsUsed;
    assert(fresh < this.pfnOfSlot.length, () => `memory: all ${this.pfnOfSlot.length} slots used`);
    this.use.slotsUsed = fresh + 1;
    this.slotOf[pfn] = fresh;
    this.pfnOfSlot[fresh] = pfn;
    return fresh;
  }

  hasBytes(pfn: Pfn): boolean {
    return this.slotOf[pfn] !== 0;
  }

  /** Where the frame's words begin in the arena; 0, where zeros are, if it has none. */
  wordsOf(pfn: Pfn): number {
    return this.slotOf[pfn]! << frameShift;
  }

  readLow(pfn: Pfn, index: number): number {
    return this.words[(this.slotOf[pfn]! << frameShift) | (index << 1)]!;
  }

  readHigh(pfn: Pfn, index: number): number {
    return this.words[(this.slotOf[pfn]! << frameShift) | (index << 1) | 1]!;
  }

  /** Stores 8 bytes. The only way bytes change, but for A/D bits, which silicon sets in place. */
  write(pfn: Pfn, index: number, low: number, high: number): void {
    const word = (this.slot(pfn) << frameShift) | (index << 1);
    this.words[word] = low;
    this.words[word | 1] = high;
    // Most entries are leaves and never have a pointer beside them: a store of 0 would commit their memory.
    if (this.next[word >>> 1] !== 0) this.next[word >>> 1] = 0;
  }

  /** Changes flags of an entry that has bytes: its frame stays, so what is known of it in `next` does too. */
  setLow(pfn: Pfn, index: number, low: number): void {
    this.words[(this.slotOf[pfn]! << frameShift) | (index << 1)] = low;
  }

  /** Stores an entry that points to `frame`. */
  writeEntry(pfn: Pfn, index: number, frame: number, flags: number, nx = 0): void {
    this.write(pfn, index, lowHalf(frame, flags), highHalf(frame, nx));
  }

  /** The whole frame becomes zeros, of version 0. */
  zero(pfn: Pfn): void {
    this.stamps[pfn] = 0;
    const slot = this.slotOf[pfn]!;
    if (slot === 0) return;
    this.words.fill(0, slot << frameShift, (slot + 1) << frameShift);
    this.next.fill(0, slot << (frameShift - 1), (slot + 1) << (frameShift - 1));
  }

  /** The frame `to` gets the bytes and the stamp of `from`. */
  copy(to: Pfn, from: Pfn): void {
    const stamp = this.stamps[from]!;
    const source = this.slotOf[from]!;
    if (source === 0) {
      this.zero(to);
    } else {
      const target = this.slot(to);
      this.words.copyWithin(target << frameShift, source << frameShift, (source + 1) << frameShift);
      this.next.fill(0, target << (frameShift - 1), (target + 1) << (frameShift - 1));
    }
    this.stamps[to] = stamp;
  }

  contentsOf(pfn: Pfn): FrameContents {
    const slot = this.slotOf[pfn]!;
    const stamp = this.stamps[pfn]!;
    if (slot === 0) return { words: null, stamp };
    return { words: this.words.slice(slot << frameShift, (slot + 1) << frameShift), stamp };
  }

  /** Takes the contents out. Nobody may use the frame until something is put into it. */
  vacate(pfn: Pfn): FrameContents {
    const contents = this.contentsOf(pfn);
    this.stamps[pfn] = vacated;
    return contents;
  }

  hasSameBytes(one: Pfn, other: Pfn): boolean {
    const a = this.slotOf[one]! << frameShift;
    const b = this.slotOf[other]! << frameShift;
    for (let i = 0; i < wordsPerFrame; i++)
      if (this.words[a + i] !== this.words[b + i]) return false;
    return true;
  }

  /** The frame gets these bytes and this stamp. */
  fill(pfn: Pfn, { words, stamp }: FrameContents): void {
    this.zero(pfn);
    if (words !== null) this.words.set(words, this.slot(pfn) << frameShift);
    this.stamps[pfn] = stamp;
  }

  /** Bytes of all frames that have any. */
  get bytesInUse(): number {
    return (this.use.slotsUsed - 1) * 4096;
  }

  /** Bytes of hypervisor tables, at their peak. */
  get tableBytesPeak(): number {
    return this.use.tablesPeak * 4096;
  }
}
