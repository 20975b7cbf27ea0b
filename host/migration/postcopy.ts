/**
 * Post-copy: the guest moves at once, and its pages follow. A page that it touches before it has come is asked
 * for and waited for; all others are pushed meanwhile, from behind the page asked for last.
 *
 * At the destination a page that has not come is one that the host has taken away, contents kept: the next
 * touch, by the guest, by a walker or by the hypervisor, takes a major host fault, which is the request.
 *
 * Source: QEMU migration/ram.c `get_queued_page`, `ram_save_host_page`, `ram_postcopy_send_discard_bitmap`,
 * migration/postcopy-ram.c; Linux userfaultfd.
 *
 * Model: the guest goes on in the same simulated machine, its mappings of pages that have come still warm.
 * Bias: for shadow, which would have to build its tables anew at the destination.
 */
import type { Gfn } from "../../machine/address.ts";
import type { PageContent } from "./guest-memory.ts";
import type { SwitchOver } from "./precopy.ts";
import type { Sender } from "./sender.ts";

/** Start and length of a run of pages that the destination must forget (QEMU migration/savevm.c). */
const discardBytes = 16;

export class PostCopy {
  /** Pages that the guest had to wait for, and for how long in all. */
  pagesPulled = 0;
  waitMs = 0;
  private readonly sender: Sender;
  /** Pages that have not come, as they were when the guest left. */
  private readonly left = new Map<number, PageContent>();
  private isPushing = false;

  constructor(sender: Sender) {
    this.sender = sender;
  }

  /** The guest stands still from `nowMs` on, until it runs at the destination. */
  move(nowMs: number): SwitchOver {
    const { sender } = this;
    const { link, host, source, destination } = sender.parts;
    link.waitUntil(nowMs);
    const stoppedMs = link.freeAtMs;
    sender.open("stop-and-copy", 0);
    sender.collect();
    const runs: (readonly [start: number, frames: number])[] = [];
    sender.left.forEachRun((start, frames) => runs.push([start, frames]));
    for (const [start, frames] of runs) {
      for (let gfn = start; gfn < start + frames; gfn++) {
        destination.discard(gfn);
        const { version, words } = source.read(gfn);
        this.left.set(gfn, { version, words: words?.slice() ?? null });
      }
    }
    link.send(runs.length * discardBytes);
    sender.round.bytes = runs.length * discardBytes;
    sender.round.endMs = link.freeAtMs;
    destination.check(source, host.engine, (gfn) => sender.left.has(gfn));
    const downtimeMs = link.freeAtMs - stoppedMs;
    sender.stopLog();
    for (const [start, frames] of runs) host.takeAway(start as Gfn, frames);
    sender.open("postcopy", 0);
    return { verdict: "moved", stoppedMs, downtimeMs };
  }

  get isDone(): boolean {
    return this.left.size === 0;
  }

  /** Somebody has touched a page that was away: how long the guest waits for it. */
  pull(gfn: number, nowMs: number): number {
    if (this.isPushing || !this.left.has(gfn)) return 0;
    const { link, settings } = this.sender.parts;
    const requestedMs = nowMs + settings.roundTripMs / 2;
    this.push(requestedMs);
    // It may have been on its way already.
    if (this.left.has(gfn)) {
      link.waitUntil(requestedMs);
      this.arrive(gfn);
      this.sender.left.moveTo(gfn);
    }
    const waitMs = link.freeAtMs + settings.roundTripMs / 2 - nowMs;
    this.pagesPulled += 1;
    this.waitMs += waitMs;
    this.push(nowMs + waitMs);
    return waitMs;
  }

  /** Sends in the background until `nowMs`. */
  push(nowMs: number): void {
    const { link, host } = this.sender.parts;
    this.isPushing = true;
    while (link.freeAtMs < nowMs && !this.isDone) {
      const gfn = this.sender.left.next();
      host.putInPlace(gfn as Gfn);
      this.arrive(gfn);
    }
    this.isPushing = false;
  }

  /** A frame that the host takes from the guest here needs no sending. */
  reclaimed(start: Gfn, frames: number): void {
    for (let gfn = start as number; gfn < start + frames; gfn++) {
      this.left.delete(gfn);
      this.sender.left.delete(gfn);
    }
  }

  private arrive(gfn: number): void {
    const { host, source, destination } = this.sender.parts;
    const content = this.left.get(gfn);
    if (content === undefined) return;
    this.sender.sendPage(gfn);
    destination.checkArrival(gfn, content, { source, engine: host.engine });
    this.left.delete(gfn);
  }
}
