/** Same-page merging over guests that booted by themselves, as KSM does. */
import { createMerger, type PageMerger } from "../../../hypervisor/memory/merger.ts";
import { freshMemory, type HostedGuest, type Scenario } from "../scenario.ts";

/** The merger remembers from pass to pass what it saw, one per host. */
const mergers = new WeakMap<readonly HostedGuest[], PageMerger>();

function pass(guests: readonly HostedGuest[]): void {
  mergers.get(guests)?.pass(guests.map(({ memory }) => memory));
}

export const merge: Scenario = {
  title: "Same-page merging of guests that run the same program",
  summary:
    "the host scans all guests; pages that stayed equal from one pass to the next share a frame",
  guests: 2,
  clones: false,
  uses: ["every"],
  kernel: freshMemory,
  started(guests) {
    const [first] = guests;
    if (first === undefined) return;
    mergers.set(guests, createMerger(first.machine.memory));
    pass(guests);
    pass(guests);
  },
  act: pass,
};
