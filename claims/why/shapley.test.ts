import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attribute, type Game, subsets } from "./shapley.ts";

const names = ["a", "b", "c", "d", "e", "f"];

/** A game of random whole worths, one per coalition. */
const anyGame = fc.integer({ min: 1, max: 6 }).chain((count) =>
  fc
    .array(fc.integer({ min: -1_000_000, max: 1_000_000 }), {
      minLength: 2 ** count,
      maxLength: 2 ** count,
      size: "max",
    })
    .map((worths): Game => {
      const players = names.slice(0, count);
      const index = new Map(subsets(players).map((set, at) => [set.join(), worths[at] ?? 0]));
      return { players, value: (set) => index.get([...set].join()) ?? 0 };
    }),
);

describe("attribute", () => {
  // Fails when the weight of a coalition is off by one, or the last subset is left out.
  it("gives parts that sum to the whole (efficiency)", () => {
    fc.assert(
      fc.property(anyGame, (game) => {
        const { none, all, parts } = attribute(game);
        const sum = parts.reduce((total, { value }) => total + value, none);
        expect(sum).toBeCloseTo(all, 6);
      }),
    );
  });

  // Fails when a player's marginal worth is taken in one order only.
  it("gives equal players equal parts (symmetry)", () => {
    fc.assert(
      fc.property(anyGame, ({ players, value }) => {
        const [first = "a"] = players;
        const twin = "twin";
        // The twin does what the first does, and both together do no more.
        const game: Game = {
          players: [first, twin, ...players.slice(1, 5)],
          value(set) {
            const joins = set.has(first) || set.has(twin);
            return value(new Set(players.filter((p) => (p === first ? joins : set.has(p)))));
          },
        };
        const { parts } = attribute(game);
        expect(parts[0]?.value).toBeCloseTo(parts[1]?.value ?? Number.NaN, 6);
      }),
    );
  });

  // Fails when a coalition's name forgets the player that joined.
  it("gives nothing to who changes nothing (null player)", () => {
    fc.assert(
      fc.property(anyGame, ({ players, value }) => {
        const kept = players.slice(0, 5);
        const game: Game = {
          players: [...kept, "idle"],
          value: (set) => value(new Set(players.filter((player) => set.has(player)))),
        };
        const { parts, interactions } = attribute(game);
        expect(parts.at(-1)).toEqual({ player: "idle", value: 0 });
        const ofIdle = interactions.filter(({ players: pair }) => pair.includes("idle"));
        expect(ofIdle.every(({ value: worth }) => Math.abs(worth) < 1e-6)).toBe(true);
      }),
    );
  });

  it("splits a product in halves and calls the whole of it interaction", () => {
    const { parts, interactions } = attribute({
      players: ["count", "price"],
      value: (set) => (set.has("count") && set.has("price") ? 100 : 0),
    });
    expect(parts.map(({ value }) => value)).toEqual([50, 50]);
    expect(interactions).toEqual([{ players: ["count", "price"], value: 100 }]);
  });

  it("solves the glove game: the only right glove gets two thirds", () => {
    const { parts } = attribute({
      players: ["left", "left2", "right"],
      value: (set) => (set.has("right") && (set.has("left") || set.has("left2")) ? 6 : 0),
    });
    expect(parts.map(({ value }) => value)).toEqual([1, 1, 4]);
  });

  it("refuses a seventh player", () => {
    expect(() => attribute({ players: [...names, "g"], value: () => 0 })).toThrow(/7 players/);
  });
});
