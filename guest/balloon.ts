/**
 * The balloon driver: frames that nobody uses go to the host when it asks, and come back when it gives them back.
 *
 * What the host then takes is free memory, which costs a fault each when it is used again; swap takes memory in
 * use and must write it.
 *
 * Model: the queue between device and driver is not there, nor its notifications: a request is one act of the
 * host. Bias: none.
 *
 * Source: virtio 1.2, 5.5 "Traditional Memory Balloon Device"; Linux drivers/virtio/virtio_balloon.c.
 */
import type { Gfn } from "../machine/address.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { FrameAllocator } from "./frames.ts";

/** Free frames that the driver leaves to the kernel, or its next allocation would fail. */
const reserveFrames = 256;

export class Balloon {
  private readonly frames: FrameAllocator;
  private readonly host: (event: HostEvent) => void;
  private readonly held: Gfn[] = [];
  /** Most frames that it held at once. */
  heldMax = 0;

  constructor(frames: FrameAllocator, host: (event: HostEvent) => void) {
    this.frames = frames;
    this.host = host;
  }

  /** Frames of 4 KiB that the host may use elsewhere. */
  get size(): number {
    return this.held.length;
  }

  /** Inflates or deflates to `target` frames, as far as free memory goes. */
  resize(target: number): void {
    const given: Gfn[] = [];
    while (this.held.length < target && this.frames.free > reserveFrames) {
      const gfn = this.frames.take();
      this.held.push(gfn);
      given.push(gfn);
    }
    this.heldMax = Math.max(this.heldMax, this.held.length);
    for (const { start, frames } of runsOf(given)) this.host({ kind: "reclaim", start, frames });
    for (let gfn = this.held.at(-1); gfn !== undefined && this.held.length > target;) {
      this.held.pop();
      this.frames.release(gfn);
      gfn = this.held.at(-1);
    }
  }
}

/** Consecutive frames as ranges, so that what is one act for the host is one event. */
function runsOf(frames: readonly Gfn[]): { start: Gfn; frames: number }[] {
  const runs: { start: Gfn; frames: number }[] = [];
  for (const gfn of frames.toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.frames === gfn) last.frames += 1;
    else runs.push({ start: gfn, frames: 1 });
  }
  return runs;
}
