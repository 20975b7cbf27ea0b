/**
 * Guest memory at both ends of a migration: what a frame holds, and whether the destination has it all.
 *
 * A frame's content is its bytes, where it has any (guest tables, whatever the kernel stored), and the version
 * of its data of unknown value. So a page counts as changed when the guest stores to it, when its kernel or
 * the hypervisor for it changes an entry, and when the walker sets A or D in a table: all of these must
 * arrive, or the guest would go on with tables of the past.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { type PhysicalMemory, vacated } from "../../machine/memory.ts";
import type { HostFrames } from "../../check/oracle/host-frames.ts";
import { hex, OracleMismatch } from "../../check/oracle/mismatch.ts";

/** What goes over the wire for one page. */
export interface PageContent {
  readonly version: number;
  /** The 1024 32-bit words of the frame; null where nothing of known value was ever stored. */
  readonly words: Int32Array | null;
}

const wordsPerFrame = 1024;
/** The destination's version of a page that never came. */
const missing = -1;

export class SourceMemory {
  readonly frames: HostFrames;
  private readonly memory: PhysicalMemory;
  private readonly touch: (gfn: Gfn) => void;

  /** `touch` is how the host's own thread brings a page back that was swapped out. */
  constructor(memory: PhysicalMemory, frames: HostFrames, touch: (gfn: Gfn) => void) {
    this.memory = memory;
    this.frames = frames;
    this.touch = touch;
  }

  /** The frame as it is now, read from where the host keeps it. */
  read(gfn: number): PageContent {
    if (this.frames.isAway(gfn)) this.touch(gfn as Gfn);
    const pfn = this.frames.pfnOf[gfn] ?? -1;
    if (pfn < 0) return { version: 0, words: null };
    if (this.memory.stamps[pfn] === vacated) this.touch(gfn as Gfn);
    return { version: this.memory.stamps[pfn] ?? 0, words: this.wordsOf(pfn as Pfn) };
  }

  private wordsOf(pfn: Pfn): Int32Array | null {
    const first = (this.memory.slotOf[pfn] ?? 0) * wordsPerFrame;
    return first === 0 ? null : this.memory.words.subarray(first, first + wordsPerFrame);
  }
}

export function isZeroPage({ version, words }: PageContent): boolean {
  return version === 0 && (words === null || words.every((word) => word === 0));
}

/** What an arrival is judged by. */
export interface ArrivalCheck {
  readonly source: SourceMemory;
  /** Named in mismatches. */
  readonly engine: string;
}

export class DestinationMemory {
  private readonly versions: Int32Array;
  private readonly words = new Map<number, Int32Array>();

  constructor(frames: number) {
    this.versions = new Int32Array(frames).fill(missing);
  }

  has(gfn: number): boolean {
    return this.versions[gfn] !== missing;
  }

  receive(gfn: number, { version, words }: PageContent): void {
    this.versions[gfn] = version;
    if (words === null) this.words.delete(gfn);
    else this.words.set(gfn, words.slice());
  }

  /** The page is out of date: what is here must not be used. */
  discard(gfn: number): void {
    this.versions[gfn] = missing;
    this.words.delete(gfn);
  }

  /**
   * Compares a page that has just come with what it was when its guest left the source, and with what the guest
   * wrote last: a store since then went to a page that was not there.
   */
  checkArrival(gfn: number, left: PageContent, { source, engine }: ArrivalCheck): void {
    const here = this.versions[gfn] ?? missing;
    if (here !== left.version) {
      throw mismatch(engine, gfn, `left with version ${left.version}, arrived with ${here}`);
    }
    const latest = source.frames.latest(gfn);
    if (here !== latest) {
      throw mismatch(engine, gfn, `got version ${latest} before it arrived, with version ${here}`);
    }
    const index = firstDifference(left.words, this.words.get(gfn) ?? null);
    if (index >= 0) throw mismatch(engine, gfn, `arrived with another entry ${index}`);
  }

  /**
   * Compares every frame with the source, which stands still. A frame that is `expected` to come later must
   * be missing here; every other must be the same. Throws an `OracleMismatch` that names the first that is not.
   */
  check(source: SourceMemory, engine: string, expected: (gfn: number) => boolean): void {
    for (let gfn = 0; gfn < this.versions.length; gfn++) {
      const here = this.versions[gfn] ?? missing;
      if (expected(gfn)) {
        if (here === missing) continue;
        throw mismatch(engine, gfn, `is to be sent, but the destination has version ${here}`);
      }
      const wanted = source.frames.latest(gfn);
      if (here !== wanted) {
        const has = here === missing ? "nothing" : `version ${here}`;
        throw mismatch(
          engine,
          gfn,
          `has version ${wanted} at the source, ${has} at the destination`,
        );
      }
      const index = firstDifference(source.read(gfn).words, this.words.get(gfn) ?? null);
      if (index >= 0) throw mismatch(engine, gfn, `differs at the destination in entry ${index}`);
    }
  }
}

function mismatch(engine: string, gfn: number, what: string): OracleMismatch {
  return new OracleMismatch(`${engine}: migration: gfn ${hex(gfn)} ${what}`);
}

/** Index of the first 8-byte entry that differs, or -1. Words that were never stored are zeros. */
function firstDifference(one: Int32Array | null, other: Int32Array | null): number {
  if (one === null && other === null) return -1;
  for (let i = 0; i < wordsPerFrame; i++) {
    if ((one?.[i] ?? 0) !== (other?.[i] ?? 0)) return Math.floor(i / 2);
  }
  return -1;
}
