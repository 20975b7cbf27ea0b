/**
 * Mechanisms as players of an attribution: each is there as in reality, or idealized away.
 *
 * A player is defined for every scheme, if only as one that changes nothing there. Those that change prices
 * or drop counts need no run of their own.
 */
import { engines } from "../../engines/index.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { CostModel, ExitPrice } from "../../bench/costs/cost.ts";
import { type ExitCause, exitCauses, type Ledger } from "../../bench/results/result.ts";
import { engineVariants } from "./engine-variants.ts";
import type { MachineSwitch } from "./machine-switches.ts";
import type { WhyPoint } from "./plan.ts";

/** Counts and prices that make a value. */
export interface Account {
  readonly counters: Readonly<Ledger>;
  readonly cost: CostModel;
}

export interface Player {
  readonly name: string;
  /** What the world is like without it. */
  readonly without: string;
  /** Another run, for the schemes that feel it. */
  readonly run?: (point: WhyPoint) => WhyPoint;
  /** Another price of the same run. */
  readonly account?: (account: Account) => Account;
}

/** Which exits a guest under nested paging does not take: registers of its own, flushes of its own. */
const isControl: Readonly<Record<ExitCause, boolean>> = {
  PageFault: false,
  EptViolation: false,
  Cr3Write: true,
  Cr3Read: true,
  Invlpg: true,
  Invpcid: true,
  Cr0Write: true,
  Cr4Write: true,
  Cpuid: false,
  PmlFull: false,
  Vmrun: false,
  HypervisorInstruction: false,
  EptMisconfiguration: false,
  Other: false,
};
const controlCauses = exitCauses.filter((cause) => isControl[cause]);

export const players = {
  exitPrice: {
    name: "price of the switch",
    without: "leaving and entering the guest costs nothing, caches lose nothing",
    account: ({ counters, cost }) => ({
      counters,
      cost: freeExits(cost, exitCauses, ["direct", "indirect"]),
    }),
  },
  controlExits: {
    name: "exits for CR3 and flushes",
    without: "CR3 writes, INVLPG, INVPCID need no exit",
    account: ({ counters, cost }) => ({
      counters,
      cost: freeExits(cost, controlCauses, ["direct", "indirect", "handler"]),
    }),
  },
  software: {
    name: "hypervisor software",
    without: "handlers, software walks, syncs and emulation cost nothing",
    account: ({ counters, cost }) => ({
      counters,
      cost: {
        ...freeExits(cost, exitCauses, ["handler"]),
        events: { ...cost.events, hypervisor: freeEvents(cost.events.hypervisor) },
      },
    }),
  },
  dimension: {
    name: "second walk dimension",
    without: "references to nested tables cost nothing",
    account: ({ counters, cost }) => ({
      counters: {
        ...counters,
        walkReferencesNested: 0,
        nestedReferenceL1Hits: 0,
        nestedReferenceL2Hits: 0,
        nestedReferenceLlcHits: 0,
        nestedReferenceDram: 0,
        nestedReferenceRemote: 0,
      },
      cost,
    }),
  },
  walkLimits: {
    name: "limits of the walk caches",
    without: "walk caches and nested TLB hold everything",
    run: onMachine("unlimited walk caches"),
  },
  smallPages: {
    name: "4 KiB pages",
    without: "2 MiB pages in guest and host",
    run: (point) => ({ ...point, params: { ...point.params, pageSize: "2m" }, backing: "2m" }),
  },
  vpid: { name: "VPID", without: "every exit and entry flushes", run: onMachine("no VPID") },
  pcid: { name: "PCID", without: "every CR3 write flushes", run: onMachine("no PCID") },
  walkCaches: {
    name: "walk caches",
    without: "every walk starts at its root",
    run: onMachine("no walk caches"),
  },
  nestedTlb: {
    name: "nested TLB",
    without: "every guest table's frame is looked up by a walk",
    run: (point) => (isNested(point) ? onMachine("no nested TLB")(point) : point),
  },
  lazySync: {
    name: "lazy sync",
    without: "every PTE store is trapped and mirrored",
    run: (point) => (isNested(point) ? point : { ...point, engine: "shadow" }),
  },
  prefetch: {
    name: "prefetch",
    without: "a hidden fault fills one entry",
    // Trap-on-write has all entries at once, so there is nothing to prefetch.
    run: (point) =>
      point.engine === "shadow-lazy" ? { ...point, engine: "shadow-lazy, no prefetch" } : point,
  },
  pml: {
    name: "PML",
    without: "first writes are caught by write protection",
    run: (point) => (point.engine === "ept-pml" ? { ...point, engine: "ept-wp" } : point),
  },
} as const satisfies Record<string, Player>;

function isNested({ engine }: WhyPoint): boolean {
  const known: Readonly<Record<string, Engine>> = { ...engines, ...engineVariants };
  return known[engine]?.family === "nested";
}

function onMachine(change: MachineSwitch): (point: WhyPoint) => WhyPoint {
  return (point) => ({ ...point, machine: [...(point.machine ?? []), change] });
}

function freeExits(
  cost: CostModel,
  causes: readonly ExitCause[],
  parts: readonly ExitPrice[],
): CostModel {
  const exits = { ...cost.exits };
  for (const cause of causes) {
    const prices = { ...exits[cause] };
    for (const part of parts) prices[part] = 0;
    exits[cause] = prices;
  }
  return { ...cost, exits };
}

function freeEvents<P extends Readonly<Record<string, number>>>(prices: P): P {
  return Object.fromEntries(Object.keys(prices).map((name) => [name, 0])) as P;
}
