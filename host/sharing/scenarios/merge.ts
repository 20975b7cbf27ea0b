/** Same-page merging over guests that booted by themselves, as KSM does, or so that nobody can tell. */
import {
  createMerger,
  type PageMerger,
  type Unmerging,
} from "../../../hypervisor/memory/merger.ts";
import { freshMemory, type HostedGuest, type Scenario } from "../scenario.ts";

/** The merger remembers from pass to pass what it saw, one per host. */
const mergers = new WeakMap<readonly HostedGuest[], PageMerger>();

function pass(guests: readonly HostedGuest[]): void {
  mergers.get(guests)?.pass(guests.map(({ memory }) => memory));
}

function merging(unmerging: Unmerging, words: Pick<Scenario, "title" | "summary">): Scenario {
  return {
    ...words,
    guests: 2,
    clones: false,
    uses: ["every"],
    kernel: freshMemory,
    started(guests) {
      const [first] = guests;
      if (first === undefined) return;
      mergers.set(guests, createMerger(first.machine.memory, unmerging));
      pass(guests);
      pass(guests);
    },
    act: pass,
  };
}

export const merge = merging("on-write", {
  title: "Same-page merging of guests that run the same program",
  summary:
    "the host scans all guests; pages that stayed equal from one pass to the next share a frame",
});

export const mergeHidden = merging("on-any-use", {
  title: "The same, and nobody can tell what was merged",
  summary:
    "all pages that stayed as they were lose every right, merged or not, and are copied at their next use",
});
