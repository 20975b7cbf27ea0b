/**
 * Reverse maps: from a guest frame to the leaf entries that map it, by size of page.
 *
 * KVM's is not trap-on-write shadow's (`engines/shadow/frame-map.ts`): it is asked for a list that stays as it is while
 * entries go, in the order in which they came, says how long it has become (`reverseMapMax`), and has room for all memory.
 * What write-protecting a table page, dirty logging and reclaim need. Most frames have one entry, kept in a
 * typed array; the rest overflow into lists.
 */
import { type Gfn, pagesPerEntry } from "../../machine/address.ts";
import type { EntryRef } from "./shadow-page.ts";

const none = -1;

export class ReverseMap {
  private readonly single: Int32Array;
  private readonly lists = new Map<number, EntryRef[]>();
  private readonly framesPerPage: number;

  /** `level` 1 maps 4 KiB pages, 2 maps 2 MiB, 3 maps 1 GiB. */
  constructor(guestFrames: number, level: number) {
    this.framesPerPage = pagesPerEntry(level);
    this.single = new Int32Array(Math.ceil(guestFrames / this.framesPerPage)).fill(none);
  }

  /** Returns how many entries map the page now. */
  add(gfn: Gfn, ref: EntryRef): number {
    const slot = this.slot(gfn);
    const list = this.lists.get(slot);
    if (list !== undefined) return list.push(ref);
    const first = this.single[slot]!;
    if (first === none) {
      this.single[slot] = ref;
      return 1;
    }
    this.single[slot] = none;
    this.lists.set(slot, [first, ref]);
    return 2;
  }

  remove(gfn: Gfn, ref: EntryRef): void {
    const slot = this.slot(gfn);
    const list = this.lists.get(slot);
    if (list === undefined) {
      this.single[slot] = none;
      return;
    }
    list.splice(list.indexOf(ref), 1);
    if (list.length > 1) return;
    this.lists.delete(slot);
    this.single[slot] = list[0]!;
  }

  /** A copy: callers drop entries while they go through it. */
  entries(gfn: Gfn): EntryRef[] {
    const slot = this.slot(gfn);
    const list = this.lists.get(slot);
    if (list !== undefined) return [...list];
    const first = this.single[slot]!;
    return first === none ? [] : [first];
  }

  private slot(gfn: Gfn): number {
    return Math.floor(gfn / this.framesPerPage);
  }
}
