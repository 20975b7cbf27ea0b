/**
 * A choice between nested and shadowed for each address space of a guest, by what was counted while it ran.
 *
 * Who ran is known where CR3 writes exit: while somebody is shadowed, or sampled. Elsewhere an interval is put down to whom the
 * timer finds running. A root stands for its space; of two that follow each other the second inherits what is known.
 */
import type { Gfn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import { Choice, type Counts, type ShspPolicy } from "./choice.ts";

export interface ProcessPolicy extends ShspPolicy {
  /** Accesses of its own in an interval below which a space is not judged by it. */
  readonly accessesMin: number;
  /** Intervals in a row without an access after which a space is shadowed no more: nobody says when one has gone. */
  readonly idleMax: number;
}

/** What is told apart by space. */
export type Spent = Counts & Pick<Ledger, "accesses">;

const nothing: Spent = { walks: 0, walkReferencesNested: 0, exits: 0, accesses: 0 };

function sum(one: Spent, other: Spent): Spent {
  return {
    walks: one.walks + other.walks,
    walkReferencesNested: one.walkReferencesNested + other.walkReferencesNested,
    exits: one.exits + other.exits,
    accesses: one.accesses + other.accesses,
  };
}

/** What was counted from `before` to `now`. */
export function spentSince(before: Spent, now: Spent): Spent {
  return {
    walks: now.walks - before.walks,
    walkReferencesNested: now.walkReferencesNested - before.walkReferencesNested,
    exits: now.exits - before.exits,
    accesses: now.accesses - before.accesses,
  };
}

interface Process {
  readonly choice: Choice;
  /** Of this interval. */
  spent: Spent;
  /** Of all intervals that it was judged by. */
  judged: Spent;
  /** Do its faults exit in this interval? Once they and CR3 writes did so often that the answer is no, no more. */
  sample: "none" | "on" | "enough";
  idle: number;
}

export class Processes {
  private readonly policy: ProcessPolicy;
  private readonly byRoot = new Map<Gfn, Process>();
  private shadowed = 0;
  /** Spaces whose faults exit. */
  private sampled = 0;
  /** Exits of this interval, on a nested space, that are there because others are shadowed. */
  private others = 0;

  constructor(policy: ProcessPolicy) {
    this.policy = policy;
  }

  isShadowed(root: Gfn): boolean {
    return this.byRoot.get(root)?.choice.mode === "shadow";
  }

  isSampled(root: Gfn): boolean {
    return this.byRoot.get(root)?.sample === "on";
  }

  /** Do CR3 writes exit? */
  get isListening(): boolean {
    return this.shadowed + this.sampled > 0;
  }

  private of(root: Gfn): Process {
    const known = this.byRoot.get(root);
    if (known !== undefined) return known;
    const choice = new Choice(this.policy);
    const process: Process = { choice, spent: nothing, judged: nothing, sample: "none", idle: 0 };
    this.byRoot.set(root, process);
    return process;
  }

  /** A vCPU has run on this root, and counted so much. */
  ran(root: Gfn, spent: Spent): void {
    const process = this.of(root);
    process.spent = sum(process.spent, spent);
  }

  /** A fault of the guest's has exited. */
  sawFault(root: Gfn): void {
    const process = this.of(root);
    if (!process.choice.sawFault()) this.heardEnough(process);
  }

  /** A CR3 read has exited in a sampled space. */
  sawCr3Read(root: Gfn): void {
    const process = this.of(root);
    if (!process.choice.sawExits(1)) this.heardEnough(process);
  }

  /** A CR3 write has exited, in a nested space or a shadowed one. */
  sawCr3Write(wasShadowed: boolean): void {
    if (!wasShadowed) this.sawOther();
    if (this.sampled === 0) return;
    for (const process of this.byRoot.values()) {
      // One more shadow would share such exits with those that there are.
      const isOpen = process.sample !== "on" || process.choice.sawExits(1 / (this.shadowed + 1));
      if (!isOpen) this.heardEnough(process);
    }
  }

  private heardEnough(process: Process): void {
    if (process.sample === "on") this.sampled -= 1;
    process.sample = "enough";
  }

  /** A nested space has exited because another one is shadowed. */
  sawOther(): void {
    if (this.shadowed > 0) this.others += 1;
  }

  /** The space has gone. */
  forget(root: Gfn): void {
    const process = this.byRoot.get(root);
    if (process === undefined) return;
    if (process.choice.mode === "shadow") this.shadowed -= 1;
    if (process.sample === "on") this.sampled -= 1;
    this.byRoot.delete(root);
  }

  /** Judges each space by the interval that is over. Returns those that are shadowed no more. */
  endInterval(running: readonly Gfn[]): readonly Gfn[] {
    const before = [...this.byRoot.keys()].filter((root) => this.isShadowed(root));
    this.shareExits(before);
    for (const process of this.byRoot.values()) this.judge(process);
    for (const root of running) {
      const process = this.of(root);
      if (process.choice.isSampling) process.sample = "on";
    }
    const all = [...this.byRoot.values()];
    this.shadowed = all.filter(({ choice }) => choice.mode === "shadow").length;
    this.sampled = all.filter(({ sample }) => sample === "on").length;
    this.others = 0;
    return before.filter((root) => !this.isShadowed(root));
  }

  /** Exits that nobody would have without shadows are those of the spaces that have one. */
  private shareExits(shadowed: readonly Gfn[]): void {
    for (const root of shadowed) {
      this.ran(root, { ...nothing, exits: this.others / shadowed.length });
    }
  }

  private judge(process: Process): void {
    const { choice, spent } = process;
    const { accessesMin, idleMax } = this.policy;
    process.idle = spent.accesses === 0 ? process.idle + 1 : 0;
    // One that wants to be sampled and was not has no faults that anybody has seen.
    const isKnown = !choice.isSampling || process.sample !== "none";
    const isDear = process.sample === "enough";
    process.sample = "none";
    if (spent.accesses >= accessesMin && isKnown) {
      process.judged = sum(process.judged, spent);
      choice.endInterval([process.judged], isDear);
    } else if (choice.mode === "shadow" && process.idle === idleMax) {
      choice.leaveShadow();
    }
    process.spent = nothing;
  }
}
