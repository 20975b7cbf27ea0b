/**
 * Exits of one replay in order, as lines, and the comparison with a list of somebody else's.
 *
 * A list has an exit a line: what this program prints, or KVM's own tracepoint as `perf trace`, `perf script` and
 * `trace-cmd` print it (`kvm_exit: ... reason EPT_VIOLATION rip 0x...`). A tracepoint's line is compared by its reason,
 * a line of ours by its page too.
 */
import { hexAddress, hexGva } from "../../machine/address.ts";
import { exitCounter, type ExitReason, type VmExit } from "../../machine/exits.ts";
import { ConfigError, quote } from "../../bench/input/config-error.ts";
import { kvmExitLine } from "./kvm-exit-line.ts";

/** One exit: why, and where if it is about a place. */
export interface ListedExit {
  readonly reasons: ReadonlySet<ExitReason>;
  /** `reason` and its place, or what the tracepoint calls it. */
  readonly text: string;
  /** Is the place part of the comparison? */
  readonly hasPlace: boolean;
}

const reasons = Object.keys(exitCounter) as ExitReason[];

/** What an exit is, as a line: `page-fault 401000 write`. */
function exitText(exit: VmExit): string {
  switch (exit.reason) {
    case "page-fault":
      return `page-fault ${hexGva(exit.vpn)}`;
    case "ept-violation":
    case "ept-misconfiguration":
      return `${exit.reason} ${hexAddress(exit.gfn)} ${exit.access}${exit.duringWalk ? " walk" : ""}`;
    case "cr3-write":
      return `cr3-write ${hexAddress(exit.cr3.root)}`;
    case "invlpg":
      return `invlpg ${hexGva(exit.vpn)}`;
    case "other":
      return `other ${exit.cause}`;
    case "cr3-read":
    case "invpcid":
    case "cr0-write":
    case "cr4-write":
    case "cpuid":
    case "iret":
    case "pml-full":
    case "sub-page-event":
      return exit.reason;
  }
}

/** The exits that a text lists. Lines without one (comments, other tracepoints, phases) are skipped. */
export function parseExitList(text: string, file: string): ListedExit[] {
  const exits: ListedExit[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const exit = traced(line) ?? ours(line);
    if (exit !== null) exits.push(exit);
    else if (!/kvm_\w+:|^\s*phase /.test(line)) {
      const allowed = `an exit (${reasons.join(", ")}) or a line of the tracepoint kvm_exit`;
      throw new ConfigError(`${file}, line ${i + 1}: ${quote(line.trim())}; allowed: ${allowed}`);
    }
  }
  return exits;
}

function ours(line: string): ListedExit | null {
  // A number in front counts the exits.
  const text = line.trim().replace(/^\d+\s+/, "");
  const reason = reasons.find((one) => one === text.split(/\s+/)[0]);
  if (reason === undefined) return null;
  return { reasons: new Set([reason]), text, hasPlace: text !== reason };
}

/** What memory has no part in (a port, an MSR, HLT) is passed over, as the replay does not list it either. */
function traced(line: string): ListedExit | null {
  const exit = kvmExitLine(line);
  if (exit === null || exit.causes.length === 0) return null;
  const counters = exit.causes.map((cause): string => `exits${cause}`);
  const named = reasons.filter((reason) => counters.includes(exitCounter[reason]));
  return { reasons: new Set(named), text: exit.name, hasPlace: false };
}

/** Does the exit agree with the one listed? */
function agrees(exit: VmExit, listed: ListedExit): boolean {
  if (!listed.reasons.has(exit.reason)) return false;
  return !listed.hasPlace || listed.text === exitText(exit);
}

/** What a replay does at each exit: says it, beside the list where there is one, up to the first difference. */
export class ExitPrinter {
  /** True once an exit differs, or one is there that the list does not have. */
  differs = false;
  private readonly print: (line: string) => void;
  private readonly listed: readonly ListedExit[] | null;
  private count = 0;

  constructor(print: (line: string) => void, listed: readonly ListedExit[] | null) {
    this.print = print;
    this.listed = listed;
  }

  phase(name: string): void {
    if (!this.differs) this.print(`phase ${name}`);
  }

  exit(exit: VmExit): void {
    if (this.differs) return;
    const text = exitText(exit);
    const number = String(this.count + 1).padStart(7);
    if (this.listed === null) this.print(`${number}  ${text}`);
    else {
      const other = this.listed[this.count];
      this.differs = other === undefined || !agrees(exit, other);
      const mark = this.differs ? "  <- differs" : "";
      this.print(`${number}  ${text.padEnd(40)}  ${other?.text ?? "nothing listed"}${mark}`);
    }
    this.count += 1;
  }

  /** After the replay: exits that the list has and the replay does not. */
  end(): void {
    const missing = (this.listed?.length ?? 0) - this.count;
    if (this.differs || missing <= 0) return;
    this.differs = true;
    this.print(`the list has ${missing} more, the first: ${this.listed?.[this.count]?.text}`);
  }
}
