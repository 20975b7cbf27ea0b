/**
 * Exact Shapley values: what each player of a cooperative game contributes, over all orders of joining.
 *
 * The parts sum to the difference between all players and none (efficiency), equal players get equal parts
 * (symmetry), and who changes nothing gets nothing (null player).
 *
 * Source: Shapley, "A Value for n-person Games", 1953; interactions: Grabisch and Roubens, Int. J. Game
 * Theory 28, 1999.
 */
import { assert } from "../../machine/assert.ts";

export interface Game {
  /** At most six: the values of 64 coalitions are asked for. */
  readonly players: readonly string[];
  /** Worth of a coalition; whole numbers keep the sums exact. */
  readonly value: (coalition: ReadonlySet<string>) => number;
}

export interface Attribution {
  /** Worth of nobody, and of all together. */
  readonly none: number;
  readonly all: number;
  /** In the order of the players; they sum to `all - none`. */
  readonly parts: readonly { readonly player: string; readonly value: number }[];
  /** What two do together beyond what each does alone, on average; largest first. */
  readonly interactions: readonly {
    readonly players: readonly [string, string];
    readonly value: number;
  }[];
}

const playersMax = 6;

export function attribute({ players, value }: Game): Attribution {
  const count = players.length;
  assert(
    count >= 1 && count <= playersMax,
    `shapley: ${count} players, 1 to ${playersMax} allowed`,
  );
  const known = new Map<string, number>();
  const worth = (coalition: readonly string[]): number => {
    // Order of the players, so that a coalition has one name.
    const members = players.filter((player) => coalition.includes(player));
    const name = members.join("\n");
    const found = known.get(name) ?? value(new Set(members));
    known.set(name, found);
    return found;
  };
  const parts = players.map((player) => {
    const others = players.filter((other) => other !== player);
    const sum = subsets(others).reduce((total, coalition) => {
      const weight = factorial(coalition.length) * factorial(count - coalition.length - 1);
      return total + weight * (worth([...coalition, player]) - worth(coalition));
    }, 0);
    return { player, value: sum / factorial(count) };
  });
  const interactions = pairs(players).map(([a, b]) => {
    const others = players.filter((other) => other !== a && other !== b);
    const sum = subsets(others).reduce((total, coalition) => {
      const weight = factorial(coalition.length) * factorial(count - coalition.length - 2);
      const apart = worth([...coalition, a]) + worth([...coalition, b]) - worth(coalition);
      return total + weight * (worth([...coalition, a, b]) - apart);
    }, 0);
    return { players: [a, b] as const, value: sum / factorial(count - 1) };
  });
  return {
    none: worth([]),
    all: worth(players),
    parts,
    interactions: interactions.toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value)),
  };
}

/** Every coalition, the empty one first. */
export function subsets<T>(members: readonly T[]): readonly (readonly T[])[] {
  return members.reduce<readonly (readonly T[])[]>(
    (sets, member) => [...sets, ...sets.map((set) => [...set, member])],
    [[]],
  );
}

function pairs(players: readonly string[]): (readonly [string, string])[] {
  return players.flatMap((a, index) => players.slice(index + 1).map((b) => [a, b] as const));
}

function factorial(n: number): number {
  let product = 1;
  for (let i = 2; i <= n; i++) product *= i;
  return product;
}
