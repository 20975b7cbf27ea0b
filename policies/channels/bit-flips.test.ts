/**
 * What a flipped bit may lead to, by whose table it is in: the guest's own never out of the guest.
 */
import { describe, expect, test } from "vitest";
import { type BitKind, bitsOfEntry } from "../../machine/formats/bit-kind.ts";
import { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { engines } from "../../engines/index.ts";
import { type Flip, FlipBench, type FlipOutcome, worse } from "../flips/flip-one.ts";
import { framesOfGuest } from "../flips/host-of-flips.ts";
import { type FlipScheme, lockRules } from "../flips/flipped-guest.ts";
import type { Writer } from "../flips/table-bits.ts";
import { countFlips, bitFlips, flipSchemes } from "./bit-flips.ts";

type SchemeName = keyof typeof flipSchemes;
const schemes = Object.keys(flipSchemes) as SchemeName[];

/** Bits of these kinds in every `step`th entry at level 1, and all of the upper ones that the guest has. */
function flipsOf(
  bench: FlipBench,
  writer: Writer,
  kinds: readonly BitKind[],
  step: number,
): Flip[] {
  return bench.entries
    .filter((entry) => entry.writer === writer)
    .filter(({ level }, i) => level > 1 || i % step === 0)
    .flatMap((entry) => [...Array(bitsOfEntry).keys()].map((bit): Flip => ({ entry, bit })))
    .filter((flip) => kinds.includes(bench.kindOf(flip)));
}

function outcomesOf(bench: FlipBench, flips: readonly Flip[]): FlipOutcome[] {
  return flips.map((flip) => bench.flip(flip));
}

const worstOf = (outcomes: readonly FlipOutcome[]) =>
  outcomes.map(({ atOnce, after }) => worse(atOnce, after));

const leading: readonly BitKind[] = ["present", "rights", "page size", "frame", "empty entry"];

// Seen failing with: a flip that changes nothing; caches that keep what they knew.
describe.each(schemes)("%s", (name) => {
  const scheme: FlipScheme = flipSchemes[name];
  const bench = new FlipBench(scheme, true);
  const guests = outcomesOf(bench, flipsOf(bench, "guest", leading, 61));
  const isShadow = scheme.engine.family === "shadow";

  test("a flip in the guest's own table leads out of the guest only where its frame numbers are the host's", () => {
    const worst = worstOf(guests);
    expect(guests.length).toBeGreaterThan(100);
    expect(worst.includes("escapes")).toBe(name === "native");
    expect(worst).not.toContain("stops");
    expect(worst).toContain("faults");
    expect(worst).toContain("own");
  });

  test("a lock on pages holds unless silicon walks what was flipped", () => {
    expect(worstOf(guests).includes("lock")).toBe(name === "ept, guarded");
  });

  test("a frame number in the hypervisor's leaf leads to whatever frame it names", () => {
    const flips = flipsOf(bench, "hypervisor", ["frame"], 61);
    const leaves = outcomesOf(
      bench,
      flips.filter(({ entry }) => entry.level === 1),
    );
    if (name === "native") return expect(leaves).toEqual([]);
    expect(
      leaves.every(({ atOnce }) => ["own", "tables", "lock", "escapes"].includes(atOnce)),
    ).toBe(true);
    expect(worstOf(leaves)).toContain("escapes");
    // What is made anew is made of what the host knows.
    expect(leaves.every(({ after }) => after === "none")).toBe(true);
  });

  test("bits that silicon does not look at change nothing", () => {
    for (const writer of ["guest", "hypervisor"] as const) {
      const flips = flipsOf(bench, writer, ["not looked at"], 97).filter((_, i) => i % 5 === 0);
      const isDone = worstOf(outcomesOf(bench, flips)).every((effect) => effect === "none");
      expect(isDone).toBe(true);
    }
  });

  test("a shadow leaf stands until it is made anew, a nested walk sees the guest's entry at once", () => {
    const leaves = guests.filter(({ flip }) => flip.entry.level === 1);
    const atOnce = leaves.filter((one) => one.atOnce !== "none").length;
    const after = leaves.filter((one) => one.after !== "none").length;
    expect(after).toBeGreaterThan(0);
    // The virtual TLB looks at the guest's entry again wherever a program faults.
    if (!isShadow) expect(atOnce).toBe(after);
    else expect(atOnce).toBeLessThan(name === "shadow-vtlb" ? after : after / 10);
  });
});

describe("bugs planted", () => {
  const framesOf = (bench: FlipBench) => flipsOf(bench, "guest", ["frame", "frame, no memory"], 61);
  const leavesIn = (bench: FlipBench) => framesOf(bench).filter(({ entry }) => entry.level === 1);

  test("a hypervisor that does not ask where its guest's memory ends lets flips in the guest's tables out", () => {
    const endless: Engine = {
      ...engines.ept,
      create(platform, options) {
        const wide = Object.create(platform) as Platform;
        Object.defineProperty(wide, "guestFrames", { value: 2 * framesOfGuest });
        return engines.ept.create(wide, options);
      },
    };
    const bench = new FlipBench({ engine: endless });
    expect(worstOf(outcomesOf(bench, leavesIn(bench)))).toContain("escapes");
  });

  test("a shadow that asks for no locked page when it fills lets flips break the lock", () => {
    const forgetful: Engine = {
      ...engines.shadow,
      create(platform, { policy, ...options } = {}) {
        const unasked = new MemoryPolicy(policy?.rules);
        unasked.pages.at = () => null;
        policy?.attach(noEnforcer);
        return engines.shadow.create(platform, { ...options, policy: unasked });
      },
    };
    const bench = new FlipBench({ engine: forgetful, rules: lockRules });
    expect(worstOf(outcomesOf(bench, leavesIn(bench)))).toContain("lock");
  });
});

/** Says yes to all rules and does nothing about them. */
const noEnforcer = {
  name: "planted",
  locksPages: true,
  pinsPages: false,
  approvesCode: false,
  bindsFrames: false,
  hasViews: false,
  enforce: () => undefined,
};

test("rows by table have the shares of their flips, and the seed decides", () => {
  const settings = { seed: 3, bits: 6, check: false, by: "tables" } as const;
  const rows = bitFlips.run(settings);
  expect(rows).toHaveLength(2 * schemes.length - 1);
  expect(bitFlips.run(settings)).toEqual(rows);
  expect(bitFlips.run({ ...settings, seed: 4 })).not.toEqual(rows);
  const bench = new FlipBench(flipSchemes.ept);
  const { flips, by } = countFlips(bench, flipsOf(bench, "hypervisor", ["frame"], 200));
  expect(Object.values(by).reduce((sum, one) => sum + one, 0)).toBe(flips);
});
