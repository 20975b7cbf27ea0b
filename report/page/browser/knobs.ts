/**
 * The prices that a reader can change: each a cost file's numbers, scaled together.
 */
import type { CostModel } from "../../../bench/costs/cost.ts";

export interface Knob {
  readonly name: string;
  readonly about: string;
  /** In cycles, as the cost file has it. */
  readonly cyclesOf: (cost: CostModel) => number;
  /** The cost model with these prices times `factor`. */
  readonly scaled: (cost: CostModel, factor: number) => CostModel;
  readonly max: number;
}

const walkReference: Knob = {
  name: "walk reference",
  about: "one table entry read by a page walk",
  cyclesOf: ({ walk }) => walk.reference,
  scaled: (cost, factor) => {
    const { entryUpdated, ...references } = cost.walk;
    return { ...cost, walk: { ...times(references, factor), entryUpdated } };
  },
  max: 100,
};

/** `exit`: the switch and the caches it costs; the handler's software is the hypervisor's. */
export const knobs = {
  exit: {
    name: "VM exit",
    about: "to the hypervisor and back, with the caches lost, for a #PF; other exits in proportion",
    cyclesOf: ({ exits }) => exits.PageFault.direct + exits.PageFault.indirect,
    scaled: (cost, factor) => ({
      ...cost,
      exits: mapped(cost.exits, ({ direct, indirect, handler }) => ({
        direct: direct * factor,
        indirect: indirect * factor,
        handler,
      })),
    }),
    max: 8000,
  },
  reference: walkReference,
  fault: {
    name: "guest page fault",
    about: "delivery and the guest kernel's own handler",
    cyclesOf: ({ events }) => events.guest.pageFault + events.guest.faultHandler,
    scaled: (cost, factor) => {
      const { guest } = cost.events;
      const pageFault = guest.pageFault * factor;
      const faultHandler = guest.faultHandler * factor;
      return {
        ...cost,
        events: { ...cost.events, guest: { ...guest, pageFault, faultHandler } },
      };
    },
    max: 20_000,
  },
  software: {
    name: "hypervisor software",
    about: "its fixed path for a #PF exit; all of its other work in proportion",
    cyclesOf: ({ exits }) => exits.PageFault.handler,
    scaled: (cost, factor) => ({
      ...cost,
      exits: mapped(cost.exits, (prices) => ({ ...prices, handler: prices.handler * factor })),
      events: { ...cost.events, hypervisor: times(cost.events.hypervisor, factor) },
    }),
    max: 4000,
  },
} as const satisfies Record<string, Knob>;

export type KnobName = keyof typeof knobs;
export const knobNames = Object.keys(knobs) as KnobName[];

function mapped<K extends string, T>(
  all: Readonly<Record<K, T>>,
  change: (one: T) => T,
): Record<K, T> {
  const entries = Object.entries<T>(all).map(([name, one]) => [name, change(one)] as const);
  // The keys are those of `all`, which Object.entries forgets.
  return Object.fromEntries(entries) as Record<K, T>;
}

function times<K extends string>(
  prices: Readonly<Record<K, number>>,
  factor: number,
): Record<K, number> {
  return mapped(prices, (cycles) => cycles * factor);
}
