/**
 * The teaching dialect: two kinds of line, and what a shadowing hypervisor makes of each.
 *
 *     PT_WRITE 0x1000->0x5000      the guest maps GVA to GPA
 *     ACCESS 0x1000                the guest reads
 *
 * Nothing here is scripted. The store runs on the machine, the hypervisor's shadow entry is read back after
 * it, and exits and flushes come from the ledger.
 */
import { type Gfn, hexAddress, hexGva, type Pfn, type Vpn } from "../../machine/address.ts";
import { type Ledger, subtract } from "../../machine/counters.ts";
import { exitCounter } from "../../machine/exits.ts";
import { canonicalRanges, type Gva, gvaOf } from "../../machine/gva.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Machine } from "../../machine/machine.ts";
import { LineSplitter } from "./lines.ts";
import {
  TeachingGuest,
  teachingFrames,
  teachingLevels as levels,
  teachingPages,
} from "./teaching-guest.ts";
import { TraceError } from "./trace-error.ts";

export interface TeachingRun {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** The host frame to which the shadow tables map `vpn` now, or null; null for an engine without a shadow. */
  readonly shadowEntry: ((vpn: Vpn) => Pfn | null) | null;
  /** A warm host has given and mapped what a line uses before the line is counted; a cold one does so in the line. */
  readonly host: "warm" | "cold";
  readonly file: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly verbose: boolean;
  /** Gets each line of output. */
  readonly print: (line: string) => void;
}

/** Runs a file of the dialect line by line and prints what happened. */
export async function runTeaching(run: TeachingRun): Promise<void> {
  const lesson = new Lesson(run);
  const lines = new LineSplitter(run.file, (bytes, start, end, line) => {
    lesson.line(Buffer.from(bytes.subarray(start, end)).toString("latin1"), line);
  });
  for await (const piece of run.bytes) lines.push(piece);
  lines.end();
  lesson.end();
}

class Lesson {
  private readonly run: TeachingRun;
  private readonly guest: TeachingGuest;
  /** What is not counted: the boot, and the host's warming up. */
  private start: Ledger;
  /** What the guest's kernel knows that it mapped. */
  private readonly mapped = new Map<Vpn, Gfn>();
  private shadowUpdates = 0;

  constructor(run: TeachingRun) {
    this.run = run;
    const [vcpu] = run.machine.vcpus;
    this.guest = new TeachingGuest(vcpu!, run.hypervisor);
    this.start = run.machine.snapshot().ledger;
  }

  line(text: string, line: number): void {
    const words = text.replace(/#.*/, "").trim();
    if (words === "") return;
    const fail: Fail = (field, value, allowed) => {
      throw new TraceError({ file: this.run.file, line, field, value, allowed });
    };
    const write = /^PT_WRITE\s+(\S+?)\s*->\s*(\S+)$/.exec(words);
    const access = /^ACCESS\s+(\S+)$/.exec(words);
    if (write !== null) {
      const { vpn, offset } = readGva(write[1]!, fail);
      const gpa = readGpa(write[2]!, fail);
      if (offset !== 0) fail("GVA", write[1]!, "a multiple of 0x1000");
      if (gpa % 4096 !== 0) fail("GPA", write[2]!, "a multiple of 0x1000");
      this.write(vpn, (gpa / 4096) as Gfn);
    } else if (access !== null) {
      this.access(readGva(access[1]!, fail));
    } else {
      fail("line", words, "PT_WRITE 0xGVA->0xGPA or ACCESS 0xGVA");
    }
  }

  end(): void {
    const { machine, verbose, print } = this.run;
    const counts = subtract(machine.snapshot().ledger, this.start);
    const { flushesPage, flushesContext, flushesLinear, flushesNested, exits, pteStores } = counts;
    const flushes = flushesPage + flushesContext + flushesLinear + flushesNested;
    print(`[STATS] exits=${exits} tlb_flushes=${flushes}`);
    if (!verbose) return;
    const updates = this.run.shadowEntry === null ? "" : `shadow updates: ${this.shadowUpdates}, `;
    print(`[STATS] PT writes: ${pteStores}, ${updates}TLB flushes: ${flushes}`);
  }

  private warm(vpn: Vpn, gfn: Gfn | undefined): void {
    const { machine, host } = this.run;
    if (host === "cold") return;
    const counted = subtract(machine.snapshot().ledger, this.start);
    this.guest.warm(vpn, gfn);
    this.start = subtract(machine.snapshot().ledger, counted);
  }

  private shadowEntry(vpn: Vpn): Pfn | null {
    return this.run.shadowEntry?.(vpn) ?? null;
  }

  private write(vpn: Vpn, gfn: Gfn): void {
    const { print, verbose, machine } = this.run;
    this.warm(vpn, gfn);
    const gva = hexOf(vpn);
    const { ledger } = machine.snapshot();
    print(`[TRACE] PT_WRITE ${gva}->${hex(gfn)}`);
    if (verbose) print(`[GUEST] PTE write: GVA ${gva} -> GPA ${hex(gfn)}`);
    const before = this.shadowEntry(vpn);
    if (this.guest.storePte(vpn, gfn) !== "done") {
      const last = hex(teachingPages);
      print(`[GUEST] #PF: PTE store for ${gva} hits an unmapped table (tables end at ${last})`);
      return;
    }
    const old = this.mapped.get(vpn);
    this.mapped.set(vpn, gfn);
    if (old === gfn) print(`[GUEST] REMAP ${gva}: GPA ${hex(gfn)} again, nothing to flush`);
    if (old !== undefined && old !== gfn) {
      print(`[GUEST] REMAP ${gva}: GPA ${hex(old)} gives way to ${hex(gfn)}, INVLPG`);
      this.guest.invalidate(vpn);
    }
    const after = this.shadowEntry(vpn);
    this.trap(ledger, before, after);
    this.shadowChange(vpn, before, after);
  }

  private access({ vpn, offset }: Gva): void {
    const { print, verbose, machine } = this.run;
    this.warm(vpn, this.mapped.get(vpn));
    const { ledger } = machine.snapshot();
    const before = this.shadowEntry(vpn);
    const outcome = this.guest.read(vpn, offset);
    if (outcome !== "done") {
      const found = outcome === "forbidden" ? "finds a page of the kernel" : "finds no mapping";
      print(`[GUEST] #PF: ACCESS ${hexOf(vpn, offset)} ${found}`);
      return;
    }
    const after = this.shadowEntry(vpn);
    this.trap(ledger, before, after);
    this.shadowChange(vpn, before, after);
    if (!verbose) return;
    const pfn = machine.vcpus[0]!.mmu.lastPfn();
    print(`[GUEST] read: GVA ${hexOf(vpn, offset)} -> HPA ${hex(pfn, offset)}`);
  }

  /** Says that the line left the guest since `then`, if it did: what changed, or why where that cannot be shown. */
  private trap(then: Ledger, before: Pfn | null, after: Pfn | null): void {
    const { print, verbose, machine, shadowEntry } = this.run;
    const counts = subtract(machine.snapshot().ledger, then);
    if (!verbose || counts.exits === 0) return;
    const change = after === before ? "no change in the shadow" : "shadow update";
    const reasons = Object.entries(exitCounter).filter(([, counter]) => counts[counter] > 0);
    print(
      `[VMM] trap -> ${shadowEntry === null ? reasons.map(([name]) => name).join(", ") : change}`,
    );
  }

  private shadowChange(vpn: Vpn, before: Pfn | null, after: Pfn | null): void {
    if (after === null || after === before) return;
    this.shadowUpdates += 1;
    this.run.print(`[TRACE] SHADOW_UPDATE ${hexOf(vpn)}->${hex(after)}`);
  }
}

type Fail = (field: string, value: string, allowed: string) => never;

function readGva(text: string, fail: Fail): Gva {
  const gva = gvaOf(readAddress("GVA", text, fail), levels);
  return gva ?? fail("GVA", text, `a canonical address, ${canonicalRanges(levels)}`);
}

function readGpa(text: string, fail: Fail): number {
  const value = readAddress("GPA", text, fail);
  const end = teachingFrames * 4096;
  if (value >= BigInt(end)) fail("GPA", text, `an address below 0x${end.toString(16)}`);
  return Number(value);
}

function readAddress(name: string, text: string, fail: Fail): bigint {
  if (!/^0x[0-9a-f]{1,16}$/i.test(text)) fail(name, text, "a hexadecimal number with 0x");
  return BigInt(text);
}

/** GPAs and HPAs. */
function hex(page: number, offset = 0): string {
  return `0x${hexAddress(page, offset).toUpperCase()}`;
}

/** GVAs. */
function hexOf(vpn: Vpn, offset = 0): string {
  return `0x${hexGva(vpn, offset, levels).toUpperCase()}`;
}
