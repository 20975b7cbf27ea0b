/**
 * What a whole frame held, entry by entry, when it is replaced or goes away.
 */
import { isPresent } from "../../machine/formats/x86-entry.ts";
import type { EntryHistory, EntryValue } from "./entry-history.ts";
import type { HostFrames } from "./host-frames.ts";

export class FrameValues {
  private readonly frames: HostFrames;
  private readonly history: EntryHistory;

  constructor(frames: HostFrames, history: EntryHistory) {
    this.frames = frames;
    this.history = history;
  }

  /** Every entry gets another value now. */
  supersedeFrame(gfn: number): void {
    for (const value of this.presentIn(gfn)) this.history.supersede(value);
    this.history.supersedeFrame(gfn);
  }

  /** The host takes the page away, and nobody is told. */
  loseFrame(gfn: number): void {
    for (const value of this.presentIn(gfn)) this.history.lose(value);
  }

  private *presentIn(gfn: number): Generator<EntryValue> {
    if (!this.frames.hasBytes(gfn)) return;
    for (let index = 0; index < 512; index++) {
      const { low, high } = this.frames.entry(gfn, index);
      if (isPresent(low)) yield { gfn, index, low, high };
    }
  }
}
