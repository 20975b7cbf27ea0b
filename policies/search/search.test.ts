/**
 * The retrospective of SecVisor as an exhaustive search: two design attacks and no more, and none after the repair.
 */
import { expect, test } from "vitest";
import { searchAttacks } from "./search.ts";

const patience = 120_000;

// Published: a model checker found the writable alias and the remapping, and nothing once both were repaired.
test(
  "with only the rights of a page locked, every attack of three ops is an alias or a remap",
  () => {
    const { attacks, ideas } = searchAttacks("shadow-rights", 3);
    expect(ideas).toEqual(["alias", "remap"]);
    expect(attacks).toContainEqual(["pt[T] := e", "invlpg T"]);
    expect(attacks).toContainEqual(["pt[A] := t|W", "store A, evil"]);
  },
  patience,
);

test.each(["shadow", "shadow-lazy", "ept-path-cr3"] as const)(
  "with frame and page locked, no program of three ops breaks %s",
  (scheme) => {
    const { programs, attacks } = searchAttacks(scheme, 3);
    expect(attacks).toEqual([]);
    expect(programs).toBe(9 + 9 ** 2 + 9 ** 3);
  },
  patience,
);

test(
  "half a repair leaves the other attack",
  () => {
    expect(searchAttacks("shadow-page", 2).ideas).toEqual(["alias"]);
    expect(searchAttacks("shadow-frame", 2).ideas).toEqual(["remap"]);
    expect(searchAttacks("ept-frame", 2).ideas).toEqual(["remap"]);
  },
  patience,
);
