/**
 * A set of guest frames, listed by range in ascending order.
 *
 * Model: a byte for each frame where KVM has a bit; 4 MiB for a guest of 16 GiB. Bias: none.
 */
import type { Gfn } from "../../machine/address.ts";
import type { FrameRange } from "./frame-ranges.ts";

export class FrameSet {
  private readonly marks: Uint8Array;

  constructor(guestFrames: number) {
    this.marks = new Uint8Array(guestFrames);
  }

  has(gfn: Gfn): boolean {
    return this.marks[gfn] === 1;
  }

  add(gfn: Gfn): void {
    this.marks[gfn] = 1;
  }

  delete(gfn: Gfn): void {
    this.marks[gfn] = 0;
  }

  addAll({ start, frames }: FrameRange): void {
    this.marks.fill(1, start, start + frames);
  }

  deleteAll({ start, frames }: FrameRange): void {
    this.marks.fill(0, start, start + frames);
  }

  clear(): void {
    this.marks.fill(0);
  }

  list({ start, frames }: FrameRange): Gfn[] {
    const { marks } = this;
    const found: Gfn[] = [];
    const end = start + frames;
    // `indexOf` skips clean memory many frames at a time.
    for (
      let gfn = marks.indexOf(1, start);
      gfn !== -1 && gfn < end;
      gfn = marks.indexOf(1, gfn + 1)
    )
      found.push(gfn as Gfn);
    return found;
  }
}
