/**
 * What the oracle says of a hypervisor's rules: nothing that they forbid happens, by whatever way, and what is denied
 * is on record.
 *
 * It keeps its own list of the rules and asks nobody what they allow. Three looks: at each access, where it led and
 * with what right, so that a translation cached from before a lock is found when it is used; at the bytes of locked
 * frames, whoever stored; at the tables that silicon walks, after an exit and when the host has acted.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { PolicyRule, Verdict } from "../../hypervisor/policy/rules.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { viewOf } from "./views.ts";
import { FETCH, SHADOW_STACK, STORE, USER } from "../../machine/mmu.ts";
import type { HostFrames } from "./host-frames.ts";
import { kernelLink, withoutWrite } from "../../machine/formats/x86-entry.ts";
import type { Outcome } from "./legal-walks.ts";
import { HardwareTables } from "./hardware-tables.ts";
import { LineChecks, type StoreAt } from "./line-checks.ts";
import { digestFrame } from "./memory-digest.ts";
import { hex, OracleMismatch } from "./mismatch.ts";

/** Exits from one look at all tables to the next: they are large, and what is wrong in them stays. */
const exitsPerScan = 32;

/** Rights of a locked page, as the rules write them: execute, write, user. */
const execute = 1;
const write = 2;
const user = 4;

interface Page {
  readonly gfn: number | null;
  readonly access: number;
}

export class PolicyChecks {
  private readonly policy: MemoryPolicy;
  private readonly machine: Machine;
  private readonly frames: HostFrames;
  private readonly engine: string;
  private readonly locked = new Set<number>();
  private readonly hidden = new Set<number>();
  private readonly approved = new Set<number>();
  private readonly bound = new Set<number>();
  /** Frames of a monitor's, and whether programs may read them; its code. */
  private readonly monitored = new Map<number, "read" | "nothing">();
  private readonly monitorCode = new Set<number>();
  /** Frames that return addresses are pushed to. */
  private readonly stacks = new Set<number>();
  private readonly lines: LineChecks;
  private readonly pages = new Map<number, Page>();
  /** What frames under a rule held when they were first looked at: after boot, or when the rule came. */
  private readonly digests = new Map<number, number | null>();
  private readonly tables: readonly HardwareTables[];
  /** The last verdict of each vCPU, until the access that it denies is told. */
  private readonly verdicts = new Map<number, Verdict>();
  private exits = 0;

  constructor(machine: Machine, frames: HostFrames, engine: string, policy: MemoryPolicy) {
    this.policy = policy;
    this.machine = machine;
    this.frames = frames;
    this.engine = engine;
    this.lines = new LineChecks(machine, frames);
    this.tables = machine.vcpus.map((vcpu) => new HardwareTables(vcpu));
    for (const rule of policy.rules) this.note(rule);
    policy.onRule = (rule) => {
      this.note(rule);
      this.look();
    };
    policy.onVerdict = (verdict) => this.verdicts.set(verdict.cpu, verdict);
  }

  /** An exit of the hypervisor's is answered. */
  exited(): void {
    this.exits += 1;
    if (this.exits % exitsPerScan === 0) this.look();
    else {
      this.checkBytes();
      for (const tables of this.tables) this.checkPages(tables);
    }
  }

  /** The hypervisor has pushed to a stack, because the guest called: what the frame holds now is right. */
  called(gfn: number): void {
    if (this.stacks.has(gfn)) this.digests.set(gfn, null);
  }

  /** The frame that a page leads to by the rules, where the guest's tables lead it to `walked`. */
  reached(vpn: number, walked: number): number {
    return this.pages.get(vpn)?.gfn ?? walked;
  }

  /** What the page means by the rules alone, where these silence the guest's tables; null elsewhere. */
  pinned(vpn: number): Outcome | null {
    const page = this.policy.pinsPages ? this.pages.get(vpn) : undefined;
    if (page === undefined || page.gfn === null) return null;
    const flags = withoutWrite(kernelLink) | (page.access & (write | user));
    return {
      kind: "page",
      gfn: page.gfn,
      flags,
      nx: (page.access & execute) === 0,
      dirty: true,
      isStack: false,
    };
  }

  /** May the host take this frame from its guest? */
  keeps(gfn: number): boolean {
    if (this.bound.has(gfn) || this.monitored.has(gfn)) return true;
    if (this.stacks.has(gfn) || this.lines.has(gfn)) return true;
    return this.locked.has(gfn) || this.hidden.has(gfn) || this.policy.isGuarded(gfn as Gfn);
  }

  /** What is wrong with the denial of this access. */
  complaint(cpu: number, vpn: number, store: StoreAt): string | undefined {
    const verdict = this.verdicts.get(cpu);
    this.verdicts.delete(cpu);
    if (verdict === undefined || verdict.vpn !== vpn) return "was denied with no verdict on record";
    if (this.isUnder(verdict.gfn) || this.pages.has(vpn)) return undefined;
    return this.lines.isDeniedInVain(verdict, store)
      ? "was denied, and touches no locked line"
      : undefined;
  }

  /** Is the frame under a rule that says nothing of lines? */
  private isUnder(gfn: number): boolean {
    const { locked, hidden, bound, monitored, stacks } = this;
    const isUnder = [locked, hidden, bound, monitored, stacks].some((frames) => frames.has(gfn));
    return isUnder || this.policy.isGuarded(gfn as Gfn);
  }

  /** What an access that has completed did against the rules. */
  breach(vcpu: Vcpu, vpn: number, at: StoreAt, gfn: number): string | undefined {
    const { high } = at;
    const inLine = this.lines.breach(at, gfn);
    if (inLine !== undefined) return inLine;
    const byView = this.breachOfView(viewOf(vcpu), high, gfn);
    if (byView !== undefined) return byView;
    if (this.approved.size > 0 && (high & (FETCH | USER)) === FETCH && !this.approved.has(gfn)) {
      return `ran code in gfn ${hex(gfn)}, which is not approved`;
    }
    if (this.hidden.has(gfn)) return `reached gfn ${hex(gfn)}, which is hidden`;
    if (high < 0 && this.locked.has(gfn)) return `stored to gfn ${hex(gfn)}, which is locked`;
    if (high < 0 && this.stacks.has(gfn)) {
      if ((high & SHADOW_STACK) === 0) return `stored to gfn ${hex(gfn)}, which is a stack`;
      this.called(gfn);
    }
    const page = this.pages.get(vpn);
    if (this.bound.has(gfn) && page?.gfn !== gfn) {
      return `reached gfn ${hex(gfn)} by a name that it is not bound to`;
    }
    if (page === undefined) return undefined;
    const needed =
      ((high & (STORE | SHADOW_STACK)) === STORE ? write : 0) |
      ((high & FETCH) === 0 ? 0 : execute) |
      ((high & USER) === 0 ? 0 : user);
    return (page.access & needed) === needed ? undefined : "is more than the page's lock allows";
  }

  /** The same, against the rules about views: 0 is the programs', 1 the monitor's. */
  private breachOfView(view: number, high: number, gfn: number): string | undefined {
    if (view === 1 && (high & FETCH) !== 0 && this.monitorCode.size > 0) {
      const isOwn = this.monitorCode.has(gfn);
      return isOwn ? undefined : `ran code in gfn ${hex(gfn)} in the monitor's view`;
    }
    const allowed = view === 0 ? this.monitored.get(gfn) : undefined;
    if (allowed === "nothing") return `reached gfn ${hex(gfn)}, which is the monitor's`;
    if (allowed === "read" && high < 0) return `stored to gfn ${hex(gfn)}, which is the monitor's`;
    return undefined;
  }

  private note(rule: PolicyRule): void {
    if (rule.kind === "lock-pages") {
      for (let i = 0; i < rule.pages; i++) {
        const access = rule.access & (this.pages.get(rule.start + i)?.access ?? ~0);
        const first = rule.first === null ? null : rule.first + i;
        const gfn = this.pages.get(rule.start + i)?.gfn ?? first;
        this.pages.set(rule.start + i, { gfn, access });
      }
      return;
    }
    if (rule.kind === "lock-lines") return this.lines.note(rule);
    for (let gfn = rule.start as number; gfn < rule.start + rule.frames; gfn++) {
      if (rule.kind === "approve-frames") {
        this.approved.add(gfn);
        continue;
      }
      if (rule.kind === "bind-frames") {
        this.bound.add(gfn);
        continue;
      }
      if (rule.kind === "monitor-frames") {
        this.monitored.set(gfn, rule.programs);
        continue;
      }
      if (rule.kind === "monitor-code") this.monitorCode.add(gfn);
      if (rule.kind === "hide-frames") this.hidden.add(gfn);
      else if (rule.kind === "stack-frames") this.stacks.add(gfn);
      else this.locked.add(gfn);
      if (!this.digests.has(gfn)) this.digests.set(gfn, null);
    }
  }

  /** What its tables and the frames under a rule are now. */
  look(): void {
    this.checkBytes();
    for (const [cpu, tables] of this.tables.entries()) {
      const view = viewOf(this.machine.vcpus[cpu]!);
      this.checkPages(tables);
      tables.forEach((pfn, low) => {
        // A frame that several pages lie in is one of theirs as well, and read-only by other rules.
        if (this.frames.isShared(pfn)) return;
        const gfn = this.frames.owner(pfn);
        const high = (low & write) !== 0 ? STORE : 0;
        const byView = this.breachOfView(view, high, gfn);
        if (byView !== undefined) this.fail(`a table of view ${view} would have ${byView}`);
        if (this.hidden.has(gfn)) this.fail(`gfn ${hex(gfn)} is mapped, and hidden`);
        if ((low & write) !== 0 && (this.locked.has(gfn) || this.stacks.has(gfn))) {
          this.fail(`gfn ${hex(gfn)} is mapped writable, and locked`);
        }
        if ((low & write) !== 0 && this.lines.has(gfn)) {
          this.fail(`gfn ${hex(gfn)} is mapped writable, and lines of it are locked`);
        }
      });
    }
  }

  /** A locked page leads to its frame in every shadow that silicon walks, with the rights of its lock at most. */
  private checkPages(tables: HardwareTables): void {
    for (const [vpn, { gfn, access }] of this.pages) {
      const leaf = tables.shadowLeaf(vpn);
      if (leaf === null) continue;
      const rights = (leaf.flags & (write | user)) | (leaf.nx ? 0 : execute);
      // Pages that were merged lie in one frame, so it is the frame that is compared.
      if (gfn !== null && this.frames.pfnOf[gfn] !== leaf.pfn) {
        this.fail(`locked vpn ${hex(vpn)} leads to pfn ${hex(leaf.pfn)}`);
      }
      if ((rights & ~access) !== 0) this.fail(`locked vpn ${hex(vpn)} allows more than its lock`);
    }
  }

  /** A frame under a rule holds what it held, wherever the host has put it. */
  private checkBytes(): void {
    const problem = this.lines.problem();
    if (problem !== undefined) this.fail(problem);
    for (const [gfn, digest] of this.digests) {
      // What is swapped out is compared when it comes back.
      if (this.frames.pfnOf[gfn]! < 0) continue;
      const now = this.digest(gfn);
      if (digest === null) this.digests.set(gfn, now);
      else if (now !== digest) this.fail(`the bytes of gfn ${hex(gfn)} changed under its lock`);
    }
  }

  private digest(gfn: number): number {
    return digestFrame(this.machine.memory, this.frames.pfnOf[gfn]! as Pfn);
  }

  private fail(what: string): never {
    throw new OracleMismatch(`${this.engine}: ${what}`);
  }
}
