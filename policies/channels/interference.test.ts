/**
 * Noninterference, counted by hand: A has 384 pages, 16 of which hold something; B uses 32 more if its secret is 1.
 */
import { describe, expect, test } from "vitest";
import { type Sharing, sharings, twin } from "./interference.ts";
import { twinEngines } from "./twin-guests.ts";

type TwinEngine = keyof typeof twinEngines;
const names = Object.keys(twinEngines) as TwinEngine[];
const of = (name: TwinEngine, sharing: Sharing) => twin(twinEngines[name], sharing, true);

/** Under `shadow-vtlb` whatever the host takes away takes all entries with it, and each page exits once more. */
const allPages = 384;

const apart = [
  "none",
  "merge, hidden",
  "swap, own share",
  "balloon, own share",
] as const satisfies Sharing[];

// Seen failing with: a share of A's that is what B leaves; a limit that nobody sets; a merger that sees A's pages alone.
describe.each(names)("under %s", (name) => {
  test.each(apart)("%s: not one counter of A's depends on B's secret", (sharing) => {
    const { differing, counts, checked } = of(name, sharing);
    expect(differing).toEqual([]);
    expect(counts[0].accesses).toBe(2 * 16 + (allPages - 16));
    expect(checked).toBeGreaterThan(2 * allPages);
  });

  test("merging: a store to the page that B holds too finds a share to break", () => {
    const { counts, differing } = of(name, "merge");
    // The load maps it for reading, the store copies it; all others are as they were.
    const merged = name === "shadow-vtlb" ? allPages + 1 : 2;
    expect(counts.map(({ exits }) => exits)).toEqual([merged, 0]);
    expect(counts.map(({ sharesBroken }) => sharesBroken)).toEqual([1, 0]);
    expect(differing).toContain("exits");
  });

  test("one pool: what B takes, A has to fetch back, all of it, for it goes round its pages", () => {
    const { counts } = of(name, "swap, one pool");
    const [zero, one] = counts.map(({ hostMajorFaults }) => hostMajorFaults);
    expect(zero).toBe(0);
    // Eight of A's nine tables go and come back too; under EPT silicon asks for them, else the hypervisor that walks.
    expect(one).toBe(allPages + 8);
    expect(counts.map(({ exits }) => exits)).toEqual([0, allPages + (name === "ept" ? 8 : 0)]);
  });

  test("a balloon that grows as B needs: so many pages come back empty", () => {
    const { counts } = of(name, "balloon, as needed");
    expect(counts.map(({ hostFaults }) => hostFaults)).toEqual([0, 32]);
    const exits = name === "shadow-vtlb" ? allPages : 32;
    expect(counts.map((one) => one.exits)).toEqual([0, exits]);
  });
});

test("who asks for no oracle gets the same counts", () => {
  for (const sharing of Object.keys(sharings) as Sharing[]) {
    const bare = twin(twinEngines.ept, sharing, false);
    expect({ ...bare, checked: 0 }).toEqual({ ...of("ept", sharing), checked: 0 });
  }
});
