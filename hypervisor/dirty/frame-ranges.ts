/**
 * The ranges of guest frames that a dirty log covers: memslots with logging on.
 */
import { type Gfn, pagesPerEntry } from "../../machine/address.ts";

export interface FrameRange {
  readonly start: Gfn;
  /** Number of 4 KiB frames. */
  readonly frames: number;
}

/** The frames that one leaf of `level` maps, `gfn` among them. */
export function largeAround(gfn: Gfn, level: number): FrameRange {
  const frames = pagesPerEntry(level);
  return { start: (gfn - (gfn % frames)) as Gfn, frames };
}

const everywhere: FrameRange = { start: 0 as Gfn, frames: Infinity };

export class FrameRanges {
  private ranges: FrameRange[] = [];

  /** Adds what nothing covers yet and returns that, so that ranges never overlap. */
  add(range: FrameRange): readonly FrameRange[] {
    let pieces: readonly FrameRange[] = [range];
    for (const known of this.ranges) pieces = pieces.flatMap((piece) => without(piece, known));
    this.ranges.push(...pieces);
    this.ranges.sort((a, b) => a.start - b.start);
    return pieces;
  }

  /** Forgets what is covered, within `range` if there is one, and returns that. */
  take(range: FrameRange = everywhere): readonly FrameRange[] {
    const taken = this.within(range);
    this.ranges = this.ranges.flatMap((known) => without(known, range));
    return taken;
  }

  /** In ascending order. */
  all(): readonly FrameRange[] {
    return this.ranges;
  }

  covers(gfn: Gfn): boolean {
    for (const { start, frames } of this.ranges) {
      if (gfn >= start && gfn < start + frames) return true;
    }
    return false;
  }

  /** Is any frame of `range` covered? */
  touches(range: FrameRange): boolean {
    return this.within(range).length > 0;
  }

  /** The parts of `range` that are covered, in ascending order. */
  within(range: FrameRange): readonly FrameRange[] {
    return this.ranges
      .map((known) => between(Math.max(known.start, range.start), endOfBoth(known, range)))
      .filter(({ frames }) => frames > 0);
  }
}

function endOfBoth(one: FrameRange, other: FrameRange): number {
  return Math.min(one.start + one.frames, other.start + other.frames);
}

function between(start: number, end: number): FrameRange {
  return { start: start as Gfn, frames: end - start };
}

function without(range: FrameRange, hole: FrameRange): FrameRange[] {
  const end = range.start + range.frames;
  const holeEnd = hole.start + hole.frames;
  const before = between(range.start, Math.min(end, hole.start));
  const after = between(Math.max(range.start, holeEnd), end);
  return [before, after].filter(({ frames }) => frames > 0);
}
