/**
 * Isolation: a frame that more than one page lies in, or that a snapshot keeps, is written by nobody.
 *
 * Three looks: the store itself, wherever its translation came from; the tables that silicon walks, for leaves
 * that would let a store through; and what a snapshot holds when it is dropped.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { Machine } from "../../machine/machine.ts";
import type { HostObserver } from "../../machine/observer.ts";
import { HardwareTables } from "./hardware-tables.ts";
import type { HostFrames } from "./host-frames.ts";
import { KeptContents } from "./kept-contents.ts";
import { hex, OracleMismatch } from "./mismatch.ts";

export class SharingChecks implements HostObserver {
  private readonly engine: string;
  private readonly frames: HostFrames;
  private readonly kept: KeptContents;
  private readonly tables: readonly HardwareTables[];

  constructor(machine: Machine, frames: HostFrames, engine: string) {
    this.engine = engine;
    this.frames = frames;
    this.kept = new KeptContents(machine.memory);
    this.tables = machine.vcpus.map((vcpu) => new HardwareTables(vcpu));
  }

  moved(gfn: Gfn, to: Pfn): void {
    if (this.frames.move(gfn, to)) return;
    this.fail(`gfn ${hex(gfn)} was moved to pfn ${hex(to)}, which does not hold its contents`);
  }

  swappedOut(gfn: Gfn): void {
    this.frames.swapOut(gfn);
  }

  exchanged(from: Gfn, to: Gfn): void {
    this.frames.exchange(from, to);
    this.frames.hide(from);
  }

  snapshotTaken(kept: ReadonlyMap<Gfn, Pfn>): void {
    this.kept.take(kept);
  }

  snapshotDropped(): void {
    this.checkSnapshot();
    this.kept.drop();
  }

  mayStore(pfn: Pfn): boolean {
    return !this.frames.isShared(pfn) && !this.kept.holds(pfn);
  }

  /** Does any table that silicon walks let the guest store to a frame that is not its own? */
  checkTables(): void {
    for (const tables of this.tables) {
      tables.forEachWritable((pfn) => {
        if (this.frames.isShared(pfn) || this.kept.holds(pfn)) {
          this.fail(`pfn ${hex(pfn)} is mapped writable, and others use it too`);
        }
      });
    }
  }

  /** Does the snapshot, if there is one, hold what it was taken from? */
  checkSnapshot(): void {
    const gfn = this.kept.changed();
    if (gfn !== undefined) this.fail(`the snapshot of gfn ${hex(gfn)} changed after it was taken`);
  }

  private fail(what: string): never {
    throw new OracleMismatch(`${this.engine}: ${what}`);
  }
}
