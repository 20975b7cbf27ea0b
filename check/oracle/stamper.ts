/**
 * Versions of data without judgement: every store makes a new version of the frame that it reaches.
 *
 * What the oracle does for its own checks, alone: a run that compares contents (a migration) needs the
 * versions, not the legality of every access. A frame that the host took away and gave back elsewhere is
 * recognized by a walk of the guest's tables at its first store.
 */
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { PendingStore } from "../../machine/exits.ts";
import { x86Isa } from "../../machine/isa/x86.ts";
import type { Machine } from "../../machine/machine.ts";
import { STORE } from "../../machine/mmu.ts";
import type { EmulatedStore, Observer } from "../../machine/observer.ts";
import { EntryHistory } from "./entry-history.ts";
import { HostFrames } from "./host-frames.ts";
import { InvalidationLog } from "./invalidation-log.ts";
import { LegalWalks } from "./legal-walks.ts";

/** Watches the stores of every vCPU of a virtualized `machine` from now on. */
export function attachStamper(machine: Machine): Stamper {
  const stamper = new Stamper(machine);
  for (const vcpu of machine.vcpus) vcpu.observer = stamper;
  return stamper;
}

export class Stamper implements Observer {
  readonly frames: HostFrames;
  private readonly machine: Machine;
  private readonly walks: LegalWalks;
  private readonly log = new InvalidationLog();

  constructor(machine: Machine) {
    const { memory, guestFrames, placement } = machine;
    this.machine = machine;
    this.frames = new HostFrames(memory, { guestFrames, placement, versionsFrom: 0 });
    this.walks = new LegalWalks(this.frames, new EntryHistory(), x86Isa);
  }

  access(cpu: number, vpn: Vpn, high: number, pfn: Pfn): void {
    if ((high & STORE) === 0) return;
    const owner = this.frames.owner(pfn);
    this.frames.advance(owner >= 0 ? owner : this.recognize(cpu, vpn, high, pfn), pfn);
  }

  emulated(_cpu: number, { gfn, pfn }: EmulatedStore): void {
    this.frames.isAt(gfn, pfn);
    this.frames.advance(gfn, pfn);
  }

  storing(_cpu: number, pfn: Pfn, store: PendingStore): void {
    if (store.kind === "page") this.frames.zeroed(this.frames.owner(pfn));
  }

  copying(_cpu: number, from: Pfn): number {
    const owner = this.frames.owner(from);
    // Not recognized yet: the host took it away, and only loads have reached it since.
    return owner < 0 ? 0 : this.frames.latest(owner);
  }

  copied(_cpu: number, to: Pfn, version: number): void {
    this.frames.copied(this.frames.owner(to), version);
  }

  /** The host took these frames; what they held is lost. */
  reclaimed(start: Gfn, frames: number): void {
    for (let gfn = start as number; gfn < start + frames; gfn++) this.frames.reclaim(gfn);
  }

  guestFault(): void {}

  invalidated(): void {}
  mmio(): void {}
  denied(): void {}

  private recognize(cpu: number, vpn: Vpn, high: number, pfn: Pfn): number {
    const { cr3, registers } = this.machine.vcpus[cpu]!;
    const outcome = this.walks.now({ log: this.log, cr3, registers, vpn, high });
    assert(
      outcome.kind === "page" && this.frames.isAt(outcome.gfn, pfn),
      `stamper: a store at vpn ${vpn} reached frame ${pfn}, which is nobody's`,
    );
    return outcome.gfn;
  }
}
