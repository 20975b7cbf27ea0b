/**
 * A frame that is reached by one name alone: its own page loads and stores without an exit, every other name is denied.
 * No lock on frames can say that, for it forbids the page's own stores as well.
 *
 * Seen failing with: tables of the hypervisor's without the paging-write bit (the page's own stores exit for ever), a leaf
 * that does not ask for it (the alias stores).
 */
import { ACC_EXEC, ACC_WRITE } from "../machine/formats/x86-entry.ts";
import { describe, expect, test } from "vitest";
import { eptHlat } from "../engines/ept-hlat.ts";
import { engines } from "../engines/index.ts";
import type { PolicyRule } from "../hypervisor/policy/rules.ts";
import { AttackGuest } from "./attack/attack-guest.ts";
import { direct, frames, guarded } from "./attack/layout.ts";

const page = {
  kind: "lock-pages",
  start: guarded,
  pages: 1,
  first: frames.target,
  access: ACC_EXEC + ACC_WRITE,
} as const satisfies PolicyRule;
const bound: PolicyRule = { kind: "bind-frames", start: frames.target, frames: 1 };
const locked: PolicyRule = { kind: "lock-frames", start: frames.target, frames: 1 };

function guestWith(rule: PolicyRule): AttackGuest {
  const engine = eptHlat({ upperHalfOnly: true, verifies: true });
  const guest = new AttackGuest({ title: "", engine, rules: [rule, page] }, true);
  guest.warm();
  guest.lock();
  guest.warm();
  return guest;
}

/** Exits and denials of a store to T by this name. */
function stored(guest: AttackGuest, by: "own" | "alias") {
  const { denied } = guest.policy;
  guest.store(by === "own" ? guarded : direct(frames.target), 0, 7, "");
  guest.vcpu.drain();
  return { exits: guest.steps.at(-1)?.exits.length, denied: guest.policy.denied - denied };
}

describe("a page that its kernel may write", () => {
  test("bound: by its own name at no exit, by another not at all", () => {
    const guest = guestWith(bound);
    expect(stored(guest, "own")).toEqual({ exits: 0, denied: 0 });
    expect(stored(guest, "alias")).toEqual({ exits: 1, denied: 1 });
    // What the alias reads is nothing either.
    expect(guest.vcpu.load(direct(frames.target), 0)).not.toBe(7);
    expect(guest.vcpu.load(guarded, 0)).toBe(7);
  });

  test("locked: not even by its own", () => {
    expect(stored(guestWith(locked), "own").denied).toBe(1);
  });
});

test.each(["ept", "shadow", "kvm-6.12"] as const)("%s cannot bind a frame", (engine) => {
  const guest = new AttackGuest({ title: "", engine: engines[engine], rules: [bound] }, false);
  expect(() => guest.lock()).toThrow("cannot bind a frame");
});

test("a page of the half that nobody is asked about cannot be pinned", () => {
  const engine = eptHlat({ upperHalfOnly: true });
  const rules: PolicyRule[] = [{ ...page, start: 5 as typeof guarded }];
  const guest = new AttackGuest({ title: "", engine, rules }, false);
  expect(() => guest.lock()).toThrow("is in the lower half");
});
