/**
 * The policy layer: rules on a guest's memory, and the questions that an engine asks before it lets something happen.
 *
 * An engine asks at every place where a translation takes effect or where it writes guest memory for the guest: a
 * leaf, whoever makes it; an emulated store, and one under CR0.WP=0; an A or D bit; a root; the VMM's and devices'
 * own stores; a frame that the host takes. Without a policy there is nobody to ask and nothing is.
 *
 * A denied access is answered by passing over the instruction, never by running it again: the fault's answer would
 * give the right, the rule take it, and the guest exit for ever.
 *
 * Model: whether an entry of a hidden table is present can be told from the fault that it causes. Bias: none.
 */
import { type Gfn, pagesPerEntry, type Vpn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { allLines } from "../../machine/formats/sub-pages.ts";
import { ACC_WRITE } from "../../machine/formats/x86-entry.ts";
import type { Resolution } from "../../machine/exits.ts";
import { type LockedPage, PageLocks } from "./page-locks.ts";
import type { PolicyRule, Storer, Verdict } from "./rules.ts";

/** An engine, as far as rules reach it. */
export interface PolicyEnforcer {
  /** Named in refusals. */
  readonly name: string;
  /** Does it stand between the guest's entries and what silicon uses? Otherwise it knows frames, not pages. */
  readonly locksPages: boolean;
  /** Does a locked page mean its frame whatever the guest's tables say of it, and be they silent? */
  readonly pinsPages: boolean;
  /** Has it a right to execute for supervisor pages alone? */
  readonly approvesCode: boolean;
  /** Can it tell by which name a frame is reached? */
  readonly bindsFrames: boolean;
  /** Has the guest's memory a monitor's view? */
  readonly hasViews: boolean;
  /**
   * The rule holds from now on: every translation that is wider goes, cached ones too. Returns when that is done, so
   * that a lock is complete before the guest runs on.
   */
  enforce(rule: PolicyRule): void;
}

/** What shadow tables can do about pages and code. */
export const asShadowsCan = {
  locksPages: true,
  pinsPages: false,
  approvesCode: false,
  bindsFrames: false,
  hasViews: false,
} as const;

const noStore = 1;
const hidden = 2;
const guarded = 4;
const approved = 8;
const bound = 16;
const monitored = 32;
const stack = 64;
const lined = 128;
const flagOf = {
  "lock-frames": noStore,
  "lock-lines": lined,
  "hide-frames": hidden,
  "approve-frames": approved,
  "bind-frames": bound,
  "monitor-frames": monitored,
  "monitor-code": noStore,
  "stack-frames": stack,
} as const;
const forbidding = noStore | hidden | guarded | stack;

export class MemoryPolicy {
  /** Told of each denial as it is answered; a checker's record. */
  onVerdict: ((verdict: Verdict) => void) | null = null;
  /** Told of each rule that the host adds, once it holds. */
  onRule: ((rule: PolicyRule) => void) | null = null;
  /** Acts denied so far. */
  denied = 0;
  readonly pages = new PageLocks();
  readonly rules: PolicyRule[] = [];
  /** By frame, what is forbidden. Grows when a rule comes. */
  private flags = new Uint8Array(0);
  /** By frame with such, the lines that are locked, a bit each. */
  private readonly lines = new Map<number, number>();
  private enforcer: PolicyEnforcer | null = null;
  /** Has some code been approved, and all other so refused? */
  private restrictsCode = false;

  /** `rules` hold from the start. */
  constructor(rules: readonly PolicyRule[] = []) {
    for (const rule of rules) this.note(rule);
  }

  /** Once, by the engine that asks from now on. Throws when it cannot enforce a rule that holds already. */
  attach(enforcer: PolicyEnforcer): void {
    assert(this.enforcer === null, "policy: two engines enforce it");
    for (const rule of this.rules) check(rule, enforcer);
    this.enforcer = enforcer;
  }

  /** Does some engine enforce it? */
  get isEnforced(): boolean {
    return this.enforcer !== null;
  }

  /** See `PolicyEnforcer.pinsPages`. */
  get pinsPages(): boolean {
    return this.enforcer?.pinsPages ?? false;
  }

  /** The host adds a rule. */
  enact(rule: PolicyRule): void {
    assert(this.enforcer !== null, "policy: a rule that no engine enforces");
    check(rule, this.enforcer);
    this.note(rule);
    this.enforcer.enforce(rule);
    this.onRule?.(rule);
  }

  /** May somebody store to these lines of the frame, by the name of a locked page if it is one? */
  mayStore(gfn: Gfn, by: Storer, page: LockedPage | null = null, lines = allLines): boolean {
    if (page !== null && (page.access & ACC_WRITE) === 0) return false;
    if ((this.lockedLines(gfn) & lines) !== 0) return false;
    if (by === "call" || by === "shadow-stack") {
      return (this.flagsOf(gfn) & forbidding & ~stack) === 0;
    }
    const byOthers = by === "guest" || by === "walker" ? 0 : bound | monitored;
    return (this.flagsOf(gfn) & (forbidding | byOthers)) === 0;
  }

  /** Lines of the frame that are locked, a bit each. */
  lockedLines(gfn: Gfn): number {
    return (this.flagsOf(gfn) & lined) === 0 ? 0 : this.lines.get(gfn)!;
  }

  /** May the guest store to some lines of the frame and not to others? */
  locksLinesOnly(gfn: Gfn): boolean {
    return (this.flagsOf(gfn) & (forbidding | bound | monitored | lined)) === lined;
  }

  /** Does it hold return addresses? */
  isStack(gfn: Gfn): boolean {
    return (this.flagsOf(gfn) & stack) !== 0;
  }

  /** Is it reached by its locked page alone? */
  isBound(gfn: Gfn): boolean {
    return (this.flagsOf(gfn) & bound) !== 0;
  }

  /** May the supervisor run code in the frame? */
  mayExecute(gfn: Gfn): boolean {
    return !this.restrictsCode || (this.flagsOf(gfn) & approved) !== 0;
  }

  /** A table that locked pages depend on: whoever guards it decides about each store, and nobody else stores. */
  guard(gfn: Gfn, isGuarded: boolean): void {
    this.growTo(gfn + 1);
    if (isGuarded) this.flags[gfn]! |= guarded;
    else this.flags[gfn]! &= ~guarded;
  }

  isGuarded(gfn: Gfn): boolean {
    return (this.flagsOf(gfn) & guarded) !== 0;
  }

  /** Is it a table of the guest's that silicon may set A and D in, where that is no store? */
  takesMarks(gfn: Gfn): boolean {
    return this.isGuarded(gfn) && !this.isLocked(gfn);
  }

  /** Is the frame itself under a rule? */
  isLocked(gfn: Gfn): boolean {
    return (this.flagsOf(gfn) & (noStore | hidden | stack | lined)) !== 0;
  }

  isHidden(gfn: Gfn): boolean {
    return (this.flagsOf(gfn) & hidden) !== 0;
  }

  /** Do rules treat frames in the page of `level` around `gfn` apart? Then no large leaf may map it. */
  needsSmall(gfn: Gfn, level: number): boolean {
    const span = pagesPerEntry(level);
    const first = gfn - (gfn % span);
    const end = Math.min(first + span, this.flags.length);
    for (let at = first; at < end; at++) if (this.flags[at] !== 0) return true;
    return false;
  }

  lockedPage(vpn: Vpn): LockedPage | null {
    return this.pages.at(vpn);
  }

  /** Denies something; what the hypervisor answers the exit with. */
  deny(verdict: Verdict): Resolution {
    this.denied += 1;
    this.onVerdict?.(verdict);
    return "skip";
  }

  private flagsOf(gfn: number): number {
    return gfn < this.flags.length ? this.flags[gfn]! : 0;
  }

  private note(rule: PolicyRule): void {
    this.rules.push(rule);
    if (rule.kind === "lock-pages") {
      const { start, pages, first, access } = rule;
      for (let i = 0; i < pages; i++) {
        const gfn = first === null ? null : ((first + i) as Gfn);
        this.pages.lock((start + i) as Vpn, { gfn, access });
      }
      return;
    }
    const end = rule.start + rule.frames;
    this.growTo(end);
    const flag = flagOf[rule.kind];
    if (rule.kind === "approve-frames") this.restrictsCode = true;
    for (let gfn = rule.start as number; gfn < end; gfn++) {
      this.flags[gfn]! |= flag;
      if (rule.kind === "lock-lines") {
        this.lines.set(gfn, (this.lines.get(gfn) ?? 0) | rule.lines);
      }
    }
  }

  /** At least doubled, for guarded frames come one by one. */
  private growTo(frames: number): void {
    if (frames <= this.flags.length) return;
    const grown = new Uint8Array(Math.max(frames, 2 * this.flags.length));
    grown.set(this.flags);
    this.flags = grown;
  }
}

function check(rule: PolicyRule, enforcer: PolicyEnforcer): void {
  const { name, locksPages, approvesCode, bindsFrames, hasViews } = enforcer;
  if ((rule.kind === "monitor-frames" || rule.kind === "monitor-code") && !hasViews) {
    throw new Error(
      `${name}: cannot keep frames for a monitor: its guest has one view of its memory`,
    );
  }
  if (rule.kind === "bind-frames" && !bindsFrames) {
    throw new Error(`${name}: cannot bind a frame: it does not see by which name it is reached`);
  }
  if (rule.kind === "lock-pages" && !locksPages) {
    throw new Error(`${name}: cannot lock a page: the guest's own tables say what it means`);
  }
  if (rule.kind === "approve-frames" && !approvesCode) {
    throw new Error(`${name}: cannot approve code: it has one right to execute for both modes`);
  }
}
