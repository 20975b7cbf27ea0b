/**
 * Writes down who does what while guest instructions run: guest, silicon, hypervisor, in order.
 *
 * It stands between silicon and hypervisor, and hears from silicon as a checker would. What the hypervisor did is
 * read from the ledger, so an engine that counts its work explains itself.
 */
import { type CascadeExit, causeWord } from "../../engines/nested/cascade.ts";
import { levelsOf } from "../../engines/nested/nested-hypervisor.ts";
import { hexGva } from "../../machine/address.ts";
import { type CounterName, type Ledger, subtract } from "../../machine/counters.ts";
import { isException, type Resolution, type VmExit } from "../../machine/exits.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Observer } from "../../machine/observer.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

export type Actor = "guest" | "silicon" | "exit" | "hypervisor";

export interface Happening {
  readonly actor: Actor;
  readonly text: string;
}

export class Recorder {
  private list: Happening[] = [];
  private counted: Ledger | null = null;
  private vcpu: Vcpu | null = null;
  private isAnswering = false;
  /** What went on between the levels of a guest's guest since its last exit. */
  private steps: CascadeExit[] = [];

  /** For `WorldOptions.watch`: passes everything on and listens. */
  readonly watch = (hypervisor: Hypervisor, vcpu: Vcpu): Hypervisor => {
    this.vcpu = vcpu;
    levelsOf(hypervisor)?.watch((step) => {
      if (step.kind === "exit") this.steps.push(step);
    });
    return {
      ...hypervisor,
      exit: (exit, from) => {
        this.note("exit", `${this.wayOut(exit)}: ${exitText(exit)}`);
        this.isAnswering = true;
        this.steps = [];
        const before = { ...from.ledger };
        const resolution = hypervisor.exit(exit, from);
        this.isAnswering = false;
        this.collect();
        for (const text of levelTexts(this.steps)) this.add("hypervisor", text);
        const work = subtract(from.ledger, before);
        for (const text of workTexts(work)) this.add("hypervisor", text);
        this.counted = { ...from.ledger };
        this.add("hypervisor", resolutionText(resolution));
        return resolution;
      },
    };
  };

  /** Runs `body` and returns what happened meanwhile. */
  record(body: () => void): { readonly happenings: readonly Happening[]; readonly work: Ledger } {
    const { vcpu } = this;
    if (vcpu === null) throw new Error("recorder: nothing to listen to");
    vcpu.drain();
    this.collect();
    const before = { ...vcpu.ledger };
    this.counted = before;
    this.list = [];
    vcpu.observer = this.observer;
    body();
    vcpu.drain();
    this.sumUp();
    vcpu.observer = null;
    return { happenings: this.list, work: subtract(vcpu.ledger, before) };
  }

  private readonly observer: Observer = {
    access: () => undefined,
    copying: () => 0,
    copied: () => undefined,
    mmio: () => undefined,
    denied: (_cpu, vpn) => {
      this.note("hypervisor", `The access at 0x${hexGva(vpn)} is denied: it is passed over.`);
    },
    emulated: () => undefined,
    storing: (_cpu, _pfn, store) => {
      // The hypervisor stores for the guest, and says so itself.
      if (this.isAnswering) return;
      if (store.kind === "entry") this.note("guest", "A table entry changes in memory.");
      if (store.kind === "page") this.note("guest", "The kernel zeroes or copies a page.");
    },
    guestFault: (_cpu, { vpn }) => {
      this.note("guest", `#PF at 0x${hexGva(vpn)}: the guest kernel's handler runs.`);
    },
    invalidated: (_cpu, scope) => {
      const what = scope.kind === "page" ? "The page's translations are dropped." : "";
      this.note("silicon", what === "" ? "Cached translations are dropped." : what);
    },
  };

  /** A kernel outside of ring 0 takes exceptions where others exit. */
  private wayOut({ reason }: VmExit): string {
    const isOutside = this.vcpu?.controls.deprivileged === true;
    return isOutside && isException[reason] ? "Exception, no VM exit" : "VM exit";
  }

  private note(actor: Actor, text: string): void {
    this.sumUp();
    this.add(actor, text);
  }

  private add(actor: Actor, text: string): void {
    this.list.push({ actor, text });
  }

  /** Silicon's counts reach the ledger only when asked for. */
  private collect(): void {
    this.vcpu?.mmu.collect(this.vcpu.ledger, this.vcpu.walkLengths);
  }

  /** The plain accesses since the last happening, in one line. */
  private sumUp(): void {
    const { vcpu } = this;
    if (vcpu === null || this.counted === null) return;
    this.collect();
    const now = { ...vcpu.ledger };
    const text = accessText(subtract(now, this.counted));
    this.counted = now;
    if (text !== "") this.add("silicon", text);
  }
}

function accessText(work: Ledger): string {
  const hits = work.l1Hits + work.stlbHits;
  const references = work.walkReferencesGuest + work.walkReferencesNested;
  const parts = [
    ...(hits === 0 ? [] : [`${count(hits, "TLB hit")}`]),
    ...(work.walks === 0
      ? []
      : [`${count(work.walks, "page walk")}, ${count(references, "reference")}`]),
  ];
  return parts.length === 0 ? "" : `${parts.join("; ")}.`;
}

/** What an engine counts, in words; the order is that of the work. */
const work: readonly (readonly [CounterName, (times: number) => string])[] = [
  ["softwareWalks", (n) => `Walks the guest's tables in software${times(n)}.`],
  [
    "hostFaults",
    (n) => `Takes ${count(n, "host fault")}: the frame is touched for the first time.`,
  ],
  ["emulatedStores", (n) => `Emulates the guest's store${times(n)}.`],
  ["shadowPagesAllocated", (n) => `Builds ${count(n, "shadow table")}.`],
  ["shadowPagesFound", (n) => `Finds ${count(n, "shadow table")} that it has already.`],
  [
    "shadowPagesUnsynced",
    (n) => `Lets ${count(n, "table")} go out of sync: later stores are free.`,
  ],
  ["shadowPagesSynced", (n) => `Brings ${count(n, "table")} back into sync.`],
  ["shadowPagesZapped", (n) => `Throws ${count(n, "shadow table")} away.`],
  ["entriesWriteProtected", (n) => `Write-protects ${count(n, "entry", "entries")}.`],
  ["entriesDropped", (n) => `Drops ${count(n, "entry", "entries")}.`],
  ["entriesFilled", (n) => `Fills ${count(n, "entry", "entries")}.`],
  ["entriesPrefetched", (n) => `Prefetches ${count(n, "entry", "entries")}.`],
  ["flushesPage", (n) => `Drops a page from the TLB${times(n)}.`],
  ["flushesContext", (n) => `Flushes an address space from the TLB${times(n)}.`],
  ["flushesLinear", (n) => `Flushes all guest translations${times(n)}.`],
  ["flushesNested", (n) => `Flushes the nested translations${times(n)}.`],
];

/** Who answers an exit of L2's, and what that sets off. */
function levelTexts([first, ...set]: readonly CascadeExit[]): string[] {
  if (first === undefined) return [];
  const { takenBy, answeredBy } = first;
  if (answeredBy === "L0") return ["L0 answers alone: L1 does not hear of it."];
  const way =
    takenBy === "L0"
      ? "L0 hands it to L1."
      : "It is an exception of L1's kernel: L0 does not hear of it.";
  if (set.length === 0) return [`${way} L1 answers without an exit.`];
  const words = set.map(({ cause }) => causeWord(cause)).join(", ");
  return [`${way} Until L2 runs on, L1 exits to L0 ${count(set.length, "time")}: ${words}.`];
}

function workTexts(done: Ledger): string[] {
  return work.flatMap(([name, text]) => (done[name] > 0 ? [text(done[name])] : []));
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

function times(number: number): string {
  return number === 1 ? "" : ` ${number} times`;
}

function exitText(exit: VmExit): string {
  switch (exit.reason) {
    case "page-fault":
      return `#PF at 0x${hexGva(exit.vpn)}.`;
    case "ept-violation":
      return `nested violation${exit.duringWalk ? " while walking the guest's tables" : ""}.`;
    case "cr3-write":
      return "the guest writes CR3.";
    case "invlpg":
      return "INVLPG.";
    case "invpcid":
      return "INVPCID.";
    case "pml-full":
      return "the PML buffer is full.";
    case "ept-misconfiguration":
      return "MMIO, known by its nested entry.";
    case "sub-page-event":
      return "the sub-page permissions do not say.";
    case "other":
      return `${exit.cause}.`;
    case "cr3-read":
    case "cr0-write":
    case "cr4-write":
    case "cpuid":
    case "iret":
      return `${exit.reason}.`;
  }
}

function resolutionText(resolution: Resolution): string {
  if (resolution === "resume") return "VM entry: the instruction runs again.";
  if (resolution === "emulated") return "VM entry: the instruction is done already.";
  return "VM entry: the fault is the guest's own and is handed to it.";
}
