/**
 * The oracle: a naive second opinion on every access of a run.
 *
 * It reads the guest's tables straight from memory, finds host frames by a plain function, keeps no cache,
 * and stops the run at the first access, fault, A/D bit or data version that the architecture does not allow.
 * For a guest that flushes as it should exactly one translation is right; for one that does not, silicon may
 * use values that stood since the last invalidation (`legal-walks.ts`), and the oracle accepts exactly those.
 *
 * The hypervisor is not asked for anything. Four dependent loads per access when all is well.
 */
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import { PF_PRESENT, PF_RESERVED } from "../../machine/page-fault.ts";
import type { Isa } from "../../machine/isa/isa.ts";
import { x86Isa } from "../../machine/isa/x86.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { PendingStore } from "../../machine/exits.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { watched } from "../../hypervisor/watched.ts";
import type { Machine } from "../../machine/machine.ts";
import { STORE } from "../../machine/mmu.ts";
import { identity } from "../../machine/placement.ts";
import type { EmulatedStore, Invalidation, Observer, PageFault } from "../../machine/observer.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { BreakBeforeMake } from "./break-before-make.ts";
import { EntryHistory } from "./entry-history.ts";
import { FrameValues } from "./frame-values.ts";
import { DirtyModel } from "./dirty-model.ts";
import { HostChanges } from "./host-changes.ts";
import { HostFrames } from "./host-frames.ts";
import { InvalidationLog } from "./invalidation-log.ts";
import { kindBits } from "./access-kinds.ts";
import { allows, isMarked, LegalWalks, type Outcome, type Query } from "./legal-walks.ts";
import type { DataAt } from "./line-checks.ts";
import { PolicyChecks } from "./policy-checks.ts";
import { quickWalk } from "./quick-walk.ts";
import { SharingChecks } from "./sharing-checks.ts";
import { describeAccess, describeLegal, describeWalk, hex, OracleMismatch } from "./mismatch.ts";

export interface OracleOptions {
  /** Bare metal: GPA equals HPA, whatever the machine's placement. */
  readonly native: boolean;
  /** Named in mismatches. */
  readonly engine?: string;
  /** Version of data before the first store: guests of one memory that run different programs differ in it. */
  readonly versionsFrom?: number;
  /** Whose entries the guest's tables have; absent: x86-64's. */
  readonly isa?: Isa | undefined;
}

/** Watches every vCPU of `machine` from now on. Attach it before the guest boots, on the hypervisor that `watch` returns. */
export function attachOracle(machine: Machine, options: OracleOptions): Oracle {
  const oracle = new Oracle(machine, options);
  for (const vcpu of machine.vcpus) vcpu.observer = oracle;
  machine.hostObserver = oracle.sharing;
  return oracle;
}

export class Oracle implements Observer {
  /** Accesses and emulated stores checked so far. */
  checked = 0;
  /** Guest page faults checked so far. */
  faults = 0;
  /** Of `checked`, those that only a cached value explains: 0 for a guest that flushes as it should. */
  stale = 0;
  /** Where every guest frame must lie and what it must hold. */
  readonly frames: HostFrames;
  private readonly machine: Machine;
  private readonly engine: string;
  private readonly history = new EntryHistory();
  private readonly values: FrameValues;
  private readonly changes: HostChanges;
  private readonly walks: LegalWalks;
  private readonly logs: InvalidationLog[];
  private readonly dirty = new DirtyModel();
  private readonly native: boolean;
  /** May a device reach the page? Then the host does not take it away. */
  isPinned: (gfn: number) => boolean = () => false;
  private readonly isa: Isa;
  /** Null where the ISA lets an entry replace another. */
  private readonly breaks: BreakBeforeMake | null;
  /** What it says of pages that move, and of frames that are shared. */
  readonly sharing: SharingChecks;
  /** What it says of the rules that the hypervisor enforces; null where there are none. */
  private policies: PolicyChecks | null = null;

  constructor(machine: Machine, { native, engine, versionsFrom = 0, isa = x86Isa }: OracleOptions) {
    this.isa = isa;
    this.machine = machine;
    this.engine = engine ?? (native ? "native" : "virtualized");
    this.native = native;
    const placement = native ? identity : machine.placement;
    const { guestFrames } = machine;
    this.frames = new HostFrames(machine.memory, { guestFrames, placement, versionsFrom });
    this.sharing = new SharingChecks(machine, this.frames, this.engine);
    this.values = new FrameValues(this.frames, this.history);
    this.walks = new LegalWalks(this.frames, this.history, isa, (vpn) => this.pinned(vpn));
    this.changes = new HostChanges({
      frames: this.frames,
      values: this.values,
      history: this.history,
      native,
      isKept: (gfn) => this.isPinned(gfn) || (this.policies?.keeps(gfn) ?? false),
      isShadowed: () => machine.vcpus.some(({ controls }) => controls.walk !== null),
    });
    this.logs = machine.vcpus.map(() => new InvalidationLog());
    this.breaks = isa.breaksBeforeMake ? new BreakBeforeMake(isa, this.walks) : null;
  }

  /** The hypervisor to boot the guest on and to ask for things: the oracle hears of what it is asked to do. */
  watch<H extends Hypervisor>(hypervisor: H): H {
    return watched(hypervisor, {
      answered: () => this.policies?.exited(),
      hostActs: (event) => this.hostActs(event),
      hostActed: (event, reported) => {
        this.hostActed(event, reported);
        if (event.kind !== "vcpu-run") this.policies?.look();
      },
    });
  }

  /** From now on these rules are enforced. */
  police(policy: MemoryPolicy): void {
    this.policies = new PolicyChecks(this.machine, this.frames, this.engine, policy);
  }

  access(cpu: number, vpn: Vpn, high: number, pfn: Pfn, offset = 0): void {
    this.checked += 1;
    const vcpu = this.running(cpu);
    let gfn = this.translate(vcpu, vpn, high);
    if (gfn < 0 || !this.frames.isAt(gfn, pfn)) {
      gfn = this.explain(this.query(vcpu, vpn, high), pfn);
    }
    this.complete(vcpu, { vpn, high, offset }, gfn, pfn);
  }

  emulated(cpu: number, { vpn, high, offset, gfn, pfn }: EmulatedStore): void {
    this.checked += 1;
    const vcpu = this.running(cpu);
    if (this.translate(vcpu, vpn, high) !== gfn || !this.frames.isAt(gfn, pfn)) {
      const legal = this.explain(this.query(vcpu, vpn, high), pfn);
      if (legal !== gfn) this.fail(this.query(vcpu, vpn, high), `was emulated at gfn ${hex(gfn)}`);
    }
    this.complete(vcpu, { vpn, high, offset }, gfn, pfn);
  }

  storing(cpu: number, pfn: Pfn, store: PendingStore): void {
    const gfn = this.frames.owner(pfn);
    this.history.tick();
    if (store.kind === "entry") {
      const low = this.machine.memory.readLow(pfn, store.index);
      const high = this.machine.memory.readHigh(pfn, store.index);
      const { index } = store;
      const { cr3, registers } = this.machine.vcpus[cpu]!;
      const { now } = this.history;
      const [root, { levels }] = [cr3.root, registers];
      this.breaks?.storing({ gfn, index, low, high, store, now, root, levels });
      this.history.supersede({ gfn, index, low, high });
    } else {
      this.breaks?.zeroed(gfn);
      this.values.supersedeFrame(gfn);
      this.frames.zeroed(gfn);
    }
  }

  copying(_cpu: number, from: Pfn): number {
    return this.frames.latest(this.frames.owner(from));
  }

  copied(_cpu: number, to: Pfn, version: number): void {
    this.frames.copied(this.frames.owner(to), version);
  }

  guestFault(cpu: number, { vpn, error }: PageFault, high: number): void {
    this.faults += 1;
    const query = this.query(this.running(cpu), vpn, high);
    const cause = error & (PF_PRESENT | PF_RESERVED);
    if (error === (cause | kindBits(high))) {
      if (this.walks.explains(this.walks.now(query), cause, query)) return;
      this.stale += 1;
      for (const outcome of this.walks.outcomes(query)) {
        if (this.walks.explains(outcome, cause, query)) return;
      }
    }
    this.fail(query, `took #PF with error code ${hex(error)}`);
  }

  invalidated(cpu: number, scope: Invalidation): void {
    this.running(cpu);
    this.logs[cpu]!.invalidated(scope, this.history.tick());
  }

  /** The host is about to act: what it takes away can still be read. */
  private hostActs(event: HostEvent): void {
    this.history.tick();
    this.changes.acts(event);
  }

  /** An access that was passed over: whoever did so has to say why. */
  denied(cpu: number, vpn: Vpn, high: number, offset: number): void {
    const { policies } = this;
    const why = policies === null ? "was denied" : policies.complaint(cpu, vpn, { high, offset });
    if (why !== undefined) this.fail(this.query(this.running(cpu), vpn, high), why);
  }

  mmio(cpu: number, { vpn, gfn }: { readonly vpn: Vpn; readonly gfn: Gfn }, high: number): void {
    this.checked += 1;
    const query = this.query(this.running(cpu), vpn, high);
    for (const outcome of this.frames.isHole(gfn) ? this.walks.outcomes(query) : []) {
      if (outcome.kind !== "page" || !allows(outcome, query)) continue;
      if ((this.policies?.reached(vpn, outcome.gfn) ?? outcome.gfn) === gfn) return;
    }
    this.fail(query, `was taken for MMIO at gfn ${hex(gfn)}`);
  }

  private hostActed(event: HostEvent, reported: readonly Gfn[]): void {
    if (event.kind === "write") this.changes.wrote(event.gfn);
    if (event.kind === "write" && event.by === "call") this.policies?.called(event.gfn);
    // Bare metal has no host: what one would do to a guest does not happen.
    if (this.native) return;
    if (event.kind !== "vcpu-run") this.sharing.checkTables();
    const lost = this.dirty.acted(event, reported);
    if (lost === undefined) return;
    throw new OracleMismatch(
      `${this.engine}: gfn ${hex(lost)} was written but dirty-log-get does not report it; ` +
        `it reports ${reported.length} frames, after ${this.checked} accesses`,
    );
  }

  /** The vCPU, what it has in CR3 noted: nothing was cached for a root before something used it. */
  private running(cpu: number): Vcpu {
    const vcpu = this.machine.vcpus[cpu]!;
    this.logs[cpu]!.load(vcpu.cr3, this.history);
    return vcpu;
  }

  /** The frame where the tables as they are send this access; -1 if they do not let it complete as it did. */
  private translate(vcpu: Vcpu, vpn: number, kind: number): number {
    // Others than x86-64's are walked in full.
    this.breaks?.walked(this.query(vcpu, vpn, kind), this.history.now);
    if (this.isa !== x86Isa || this.pinned(vpn) !== null) return -1;
    const gfn = quickWalk(this.machine.memory, this.frames.pfnOf, vcpu, { vpn, kind });
    return this.policies === null || gfn < 0 ? gfn : this.policies.reached(vpn, gfn);
  }

  private pinned(vpn: number): Outcome | null {
    return this.policies?.pinned(vpn) ?? null;
  }

  /** Finds a legal translation to `pfn`, by way of caches if need be; returns its guest frame or stops the run. */
  private explain(query: Query, pfn: Pfn): number {
    /** The guest frame where the outcome leads to `pfn`, or -1. */
    const leads = (outcome: Outcome): number => {
      if (outcome.kind !== "page" || !allows(outcome, query)) return -1;
      if (!isMarked(outcome, query.high)) return -1;
      const gfn = this.policies?.reached(query.vpn, outcome.gfn) ?? outcome.gfn;
      return this.frames.isAt(gfn, pfn) ? gfn : -1;
    };
    // The tables as they are: some of them may be swapped out.
    const now = leads(this.walks.now(query));
    if (now >= 0) return now;
    for (const outcome of this.walks.outcomes(query)) {
      const gfn = leads(outcome);
      if (gfn < 0) continue;
      this.stale += 1;
      return gfn;
    }
    const owner = this.frames.owner(pfn);
    this.fail(query, `reached pfn ${hex(pfn)} (${owner < 0 ? "nobody's" : `gfn ${hex(owner)}`})`);
  }

  /** Data versions: a store makes a new one, a load must see the latest. */
  private complete(vcpu: Vcpu, { vpn, high, offset }: DataAt, gfn: number, pfn: Pfn): void {
    const breach = this.policies?.breach(vcpu, vpn, { high, offset }, gfn);
    if (breach !== undefined) this.fail(this.query(vcpu, vpn, high), breach);
    // A store changes part of a page: what it leaves must be right as well.
    if (!this.frames.holdsLatest(gfn, pfn)) {
      this.fail(this.query(vcpu, vpn, high), `found old data in pfn ${hex(pfn)} (gfn ${hex(gfn)})`);
    }
    if ((high & STORE) === 0) return;
    if (!this.sharing.mayStore(pfn)) {
      this.fail(this.query(vcpu, vpn, high), `stored to pfn ${hex(pfn)}, which others use too`);
    }
    this.frames.advance(gfn, pfn);
    this.dirty.stored(gfn);
  }

  private query(vcpu: Vcpu, vpn: number, high: number): Query {
    const { cr3, registers } = vcpu;
    return { log: this.logs[vcpu.id]!, cr3, registers, vpn, high };
  }

  private fail(query: Query, what: string): never {
    throw new OracleMismatch(
      `${this.engine}: ${describeAccess(query)} ${what}; legal: ${describeLegal(this.walks, query)}; ` +
        `checked ${this.checked} accesses; the guest's walk now:\n${describeWalk(this.walks, query)}`,
    );
  }
}
