/**
 * The sending end: pages that are still to send, the wire they go over, and what has arrived.
 *
 * Model: a page is read when the guest's turn ends in which the wire came to it, some 10 microseconds late.
 * Bias: none, for it is the order of a possible run.
 */
import type { Gfn } from "../../machine/address.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { MigrationSettings, Round, RoundPhase } from "../../bench/results/migration-record.ts";
import { type DestinationMemory, isZeroPage, type SourceMemory } from "./guest-memory.ts";
import { type Link, sentPageBytes, zeroMarkerBytes } from "./link.ts";
import { PageSet } from "./page-set.ts";
import { RoundLog } from "./rounds.ts";

/**
 * Pages that one clearing of the log arms again, where the log is cleared by range: 1 GiB, just before the first
 * of them is sent. Source: QEMU include/system/ramblock.h `CLEAR_BITMAP_SHIFT_DEFAULT`.
 */
const framesPerClear = 2 ** 18;

/** The hypervisor of the source, acting on a thread of its own. */
export interface MigrationHost {
  /** Guest frames: gfn is valid below it. */
  readonly frames: number;
  /** Named in mismatches. */
  readonly engine: string;
  /** Returns the frames reported and how long the thread took. */
  act(event: HostEvent): { readonly reported: readonly Gfn[]; readonly cycles: number };
  readonly cyclesPerMs: number;
  /** Post-copy's destination: these frames are not there yet; whoever touches one waits for it. */
  takeAway(start: Gfn, frames: number): void;
  /** Puts a frame in place that has come by itself, if nobody has touched it before. */
  putInPlace(gfn: Gfn): void;
}

export interface SenderParts {
  readonly host: MigrationHost;
  readonly source: SourceMemory;
  readonly destination: DestinationMemory;
  readonly link: Link;
  readonly settings: MigrationSettings;
}

/** Takes frames away, those that nobody has ever touched as well: a page that has not come cannot be made up. */
export function takeAway(hypervisor: Hypervisor, start: Gfn, frames: number): void {
  for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) hypervisor.memory.touch(gfn);
  hypervisor.host({ kind: "evict", start, frames });
}

export class Sender {
  readonly parts: SenderParts;
  readonly left: PageSet;
  readonly log = new RoundLog();
  round: Round;
  private readonly wasSent: Uint8Array;
  /** By range: 1 when the log has been read but not yet cleared. */
  private readonly isUncleared: Uint8Array;

  constructor(parts: SenderParts) {
    this.parts = parts;
    this.left = new PageSet(parts.host.frames);
    this.wasSent = new Uint8Array(parts.host.frames);
    this.isUncleared = new Uint8Array(Math.ceil(parts.host.frames / framesPerClear));
    this.round = this.log.open("precopy", 0, 0);
  }

  /** The log is on, every page is to be sent, and the wire starts at `nowMs`. */
  start(nowMs: number): void {
    const { link, host } = this.parts;
    link.waitUntil(nowMs);
    this.log.rounds.length = 0;
    this.round = this.log.open("precopy", nowMs, 0);
    this.act({ kind: "dirty-log-on", start: 0 as Gfn, frames: host.frames });
    this.left.addAll();
  }

  open(phase: RoundPhase, throttlePercent: number): void {
    this.round = this.log.open(phase, this.parts.link.freeAtMs, throttlePercent);
  }

  /** What the host does takes its thread's time, in which nothing is sent. */
  act(event: HostEvent): readonly Gfn[] {
    const { host, link } = this.parts;
    const { reported, cycles } = host.act(event);
    this.round.trackerCycles += cycles;
    link.pause(cycles / host.cyclesPerMs);
    return reported;
  }

  /** Reads the log; returns how many pages are to be sent that were not before. */
  collect(): number {
    const before = this.left.size;
    const reported = this.act({ kind: "dirty-log-get" });
    for (const gfn of reported) {
      this.left.add(gfn);
      this.isUncleared[Math.floor(gfn / framesPerClear)] = 1;
    }
    this.round.pagesDirtied = reported.length;
    this.round.pagesLeft = this.left.size;
    return this.left.size - before;
  }

  stopLog(): void {
    this.act({ kind: "dirty-log-off" });
    this.isUncleared.fill(0);
  }

  /** The host took frames away: nobody reports them, and their zeros must replace what was sent. */
  reclaimed(start: Gfn, frames: number): void {
    const end = Math.min(start + frames, this.parts.host.frames);
    for (let gfn = start as number; gfn < end; gfn++) this.left.add(gfn);
  }

  /** Sends the page in turn; false when there is none. */
  sendNext(): boolean {
    const gfn = this.left.next();
    if (gfn < 0) return false;
    this.sendPage(gfn);
    return true;
  }

  sendPage(gfn: number): void {
    const { source, destination, link, settings } = this.parts;
    const { round } = this;
    this.clearAround(gfn);
    const content = source.read(gfn);
    const isMarker = settings.zeroPages === 1 && isZeroPage(content);
    const bytes = isMarker ? zeroMarkerBytes : sentPageBytes;
    this.left.delete(gfn);
    link.send(bytes);
    destination.receive(gfn, content);
    round.pagesSent += 1;
    round.bytes += bytes;
    round.endMs = link.freeAtMs;
    if (isMarker) round.zeroPages += 1;
    if (this.wasSent[gfn] === 1) round.pagesResent += 1;
    this.wasSent[gfn] = 1;
  }

  /** A page is armed before it is read: what is written later is reported again. */
  private clearAround(gfn: number): void {
    const range = Math.floor(gfn / framesPerClear);
    if (this.isUncleared[range] !== 1) return;
    this.isUncleared[range] = 0;
    const start = range * framesPerClear;
    const frames = Math.min(framesPerClear, this.parts.host.frames - start);
    this.act({ kind: "dirty-log-clear", start: start as Gfn, frames });
  }
}
