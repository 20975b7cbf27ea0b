/**
 * What locks hold against: the design attacks that a model checker found in SecVisor, and the remapping attack that beats a
 * lock on frames.
 */
import { runAttack } from "../../../policies/attack/run-attack.ts";
import type { SchemeName } from "../../../policies/attack/schemes.ts";
import { searchAttacks } from "../../../policies/search/search.ts";
import type { Claim } from "../claim.ts";

/** Kinds of attack among all programs of two ops. */
function designAttacks(scheme: SchemeName): number {
  return searchAttacks(scheme, 2).ideas.length;
}

export const policies: readonly Claim[] = [
  {
    name: "design attacks on a lock of rights",
    class: "a",
    published: "SV08-001",
    compare: { kind: "equal" },
    unit: "attacks",
    how: "shadow paging that locks the rights of a page: kinds of attack among all programs of two ops in four frames",
    simulate: () => designAttacks("shadow-rights"),
    note: "theirs are a writable alias and a remap of an approved page, and so are ours",
  },
  {
    name: "design attacks after the repair",
    class: "a",
    published: "SV08-002",
    compare: { kind: "equal" },
    unit: "attacks",
    how: "the same with page and frame locked",
    simulate: () => designAttacks("shadow"),
  },
  {
    name: "attacks on EPT's lock of a frame",
    class: "a",
    published: "TS23-001",
    compare: { kind: "equal" },
    unit: "attacks",
    how: "EPT with the frame locked: kinds of attack among the same programs",
    simulate: () => designAttacks("ept-frame"),
    note: "theirs is the remap, and so is ours: at no exit",
  },
  {
    name: "remap against HLAT",
    class: "a",
    published: "TS23-002",
    compare: { kind: "equal" },
    unit: "changes",
    how: "the same attack with the page pinned by HLAT: does the page give other bytes afterwards?",
    simulate: () => (runAttack("ept-hlat", "remap").isBroken ? 1 : 0),
  },
];
