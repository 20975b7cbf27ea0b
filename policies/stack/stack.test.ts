/**
 * A shadow stack under each scheme: the price of a call by its events, and each attack's end, cell by cell.
 */
import { describe, expect, test } from "vitest";
import { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { Storer } from "../../hypervisor/policy/rules.ts";
import type { Gfn } from "../../machine/address.ts";
import { kernelPage, lowHalf, withoutDirty } from "../../machine/formats/x86-entry.ts";
import { SHADOW_STACK } from "../../machine/mmu.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { AttackGuest } from "../attack/attack-guest.ts";
import { attackers, direct, frames, guarded, places } from "../attack/layout.ts";
import type { Scheme } from "../attack/scheme.ts";
import { attackStack, countStackCalls } from "./run-stack.ts";
import { type StackAttackName, stackAttackNames } from "./stack-attacks.ts";
import { type StackSchemeName, stackSchemeNames, stackSchemes } from "./stack-schemes.ts";

/** In the order of `stackAttackNames`; `!` is broken. */
const expected: Readonly<Record<StackSchemeName, string>> = {
  // store, alias, widen, remap, forge, view
  none: "!0 !0 !0 !0 1 !1",
  "call-ept": "0 1 1 !0 1 2",
  "call-ept-hlat": "0 1 0 0 1 2",
  "call-shadow": "1 1 5 2 1 2",
  "call-shadow-lazy": "1 1 4 2 1 2",
  "call-unchecked": "1 1 5 2 !1 2",
  window: "1 1 1 !0 1 2",
  "window-left-open": "2 2 2 !1 2 3",
  "window-left-open-to-all": "!0 !0 !0 !0 1 !0",
  "cet-ept": "0 !0 !0 !0 1 !1",
  "cet-ept-sss": "0 1 1 1 1 2",
  "cet-shadow": "1 !0 !4 !2 1 !1",
  "cet-shadow-lock": "1 1 5 2 1 2",
};

// Seen failing with: a call whose register is believed, a view that is left open, a rule that lets the guest store.
test.each(stackSchemeNames)("%s holds and breaks where it should, in as many exits", (scheme) => {
  const check = stackSchemes[scheme].mayBreak !== true;
  const cells = stackAttackNames.map((attack) => attackStack(scheme, attack, check));
  const text = cells.map(({ isBroken, exits }) => `${isBroken ? "!" : ""}${exits}`);
  expect(text.join(" ")).toBe(expected[scheme]);
});

/** Exits and views taken of a call with its return. */
const events: Readonly<Record<StackSchemeName, readonly [number, number]>> = {
  none: [0, 0],
  "call-ept": [1, 0],
  "call-ept-hlat": [1, 0],
  "call-shadow": [1, 0],
  "call-shadow-lazy": [1, 0],
  "call-unchecked": [1, 0],
  window: [0, 2],
  "window-left-open": [1, 1],
  "window-left-open-to-all": [0, 1],
  "cet-ept": [0, 0],
  "cet-ept-sss": [0, 0],
  "cet-shadow": [0, 0],
  "cet-shadow-lock": [0, 0],
};

test.each(stackSchemeNames)("%s: what a call costs", (scheme) => {
  const { calls, counts } = countStackCalls(scheme, 80, stackSchemes[scheme].mayBreak !== true);
  expect([counts.exits / calls, counts.viewSwitches / calls]).toEqual(events[scheme]);
});

// Seen failing: a shadow leaf that keeps D when its hypervisor takes W, because the frame is a table or the page clean.
test.each(["cet-ept", "cet-ept-sss", "cet-shadow", "cet-shadow-lock"] as const)(
  "%s: CALL pushes to no page that is not a shadow stack's by the guest's own tables",
  (name) => {
    const { vcpu } = new AttackGuest(stackSchemes[name], true);
    const clean = lowHalf(frames.evil, withoutDirty(kernelPage));
    vcpu.store(direct(frames.pt), places.leaf + 1, clean, 0);
    vcpu.invlpg(attackers);
    for (const page of [direct(frames.pt), direct(frames.evil), attackers]) {
      const before = vcpu.load(page, 7);
      const { guestPageFaults } = vcpu.snapshot().ledger;
      vcpu.pushShadow(page, 7, 0x1234, 0);
      expect(vcpu.snapshot().ledger.guestPageFaults).toBe(guestPageFaults + 1);
      expect(vcpu.load(page, 7)).toBe(before);
    }
  },
);

describe("planted bugs", () => {
  class StackForgotten extends MemoryPolicy {
    override mayStore(gfn: Gfn, by: Storer): boolean {
      return by === "guest" || super.mayStore(gfn, by);
    }
  }

  function withForgotten(name: StackSchemeName, attack: StackAttackName, check: boolean) {
    const scheme = { ...stackSchemes[name], createPolicy: () => new StackForgotten() };
    return attackStack({ name, scheme }, attack, check);
  }

  test("a rule that lets the guest store to the stack is broken by an alias, and caught", () => {
    expect(withForgotten("call-ept", "alias", false).isBroken).toBe(true);
    for (const name of ["call-ept", "call-shadow", "call-shadow-lazy"] as const) {
      expect(() => withForgotten(name, "alias", true), name).toThrow(/which is a stack|and locked/);
    }
  });

  test("silicon that lets ordinary stores into a shadow stack's page is caught", () => {
    const plant: Scheme["plant"] = ({ vcpus }) => {
      for (const { mmu } of vcpus as readonly Vcpu[]) {
        const run = mmu.run.bind(mmu);
        // Every store is taken for one of CALL's.
        mmu.run = (from, to) => {
          const [low = 0, high = 0] = [mmu.low[from], mmu.high[from]];
          const page = Math.floor(((low + 2 ** 32) % 2 ** 32) / 4096);
          const isTaken = page === guarded % 2 ** 20 && high < 0;
          mmu.high[from] = isTaken ? high + SHADOW_STACK : high;
          const done = run(from, to);
          mmu.high[from] = high;
          return done;
        };
      }
    };
    const scheme = { ...stackSchemes["cet-ept-sss"], plant };
    const of = { name: "cet-ept-sss", scheme } as const;
    expect(attackStack(of, "store").isBroken).toBe(true);
    expect(() => attackStack(of, "store", true)).toThrow("store at GVA");
  });

  test("a view left open is caught at the next instruction", () => {
    expect(() => attackStack("window-left-open-to-all", "store", true)).toThrow(
      "in the monitor's view",
    );
    expect(attackStack("window-left-open", "alias", true).denied).toBeGreaterThan(0);
  });

  test("a call whose register is believed pushes what the attacker says", () => {
    expect(attackStack("call-unchecked", "forge").isBroken).toBe(true);
    expect(attackStack("call-shadow", "forge").isBroken).toBe(false);
  });
});
