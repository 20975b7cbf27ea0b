/**
 * The gap between two schemes as a cooperative game: its players are mechanisms.
 *
 * A coalition is the set of mechanisms that are real; the others are idealized away in both schemes. Its
 * worth is the first scheme's cycles minus the second's, on the same program.
 */
import { assert } from "../../machine/assert.ts";
import { price, totalCycles } from "../../bench/costs/cost.ts";
import type { Findings } from "./findings.ts";
import type { WhyPoint } from "./plan.ts";
import type { Account, Player } from "./players.ts";
import { attribute, type Attribution, subsets } from "./shapley.ts";

export interface Gap {
  /** The scheme whose cycles count positive, and the other. */
  readonly schemes: readonly [string, string];
  readonly program: Omit<WhyPoint, "engine">;
  readonly players: readonly Player[];
  /** What the gap is called when none of them is real. */
  readonly start: string;
}

/** Every run that the game may ask for. */
export function gapPoints({ schemes, program, players }: Gap): WhyPoint[] {
  const movers = players.filter(({ run }) => run !== undefined);
  return schemes.flatMap((engine) =>
    subsets(movers).map((absent) => runWithout({ ...program, engine }, absent)),
  );
}

export function attributeGap(gap: Gap, findings: Findings): Attribution {
  const { schemes, program, players } = gap;
  return attribute({
    players: players.map(({ name }) => name),
    value(real) {
      const absent = players.filter(({ name }) => !real.has(name));
      const [first, second] = schemes.map((engine) =>
        cyclesWithout({ ...program, engine }, absent, findings),
      );
      assert(first !== undefined && second !== undefined, "gap: two schemes");
      return first - second;
    },
  });
}

function cyclesWithout(
  point: WhyPoint,
  absent: readonly Player[],
  { row, costFor }: Findings,
): number {
  const { counters, computeCyclesPerOp, key } = row(runWithout(point, absent));
  const { counters: counted, cost } = absent.reduce<Account>(
    (account, player) => player.account?.(account) ?? account,
    { counters, cost: costFor(key.preset) },
  );
  return totalCycles(price(counted, computeCyclesPerOp, cost));
}

function runWithout(point: WhyPoint, absent: readonly Player[]): WhyPoint {
  return absent.reduce((changed, player) => player.run?.(changed) ?? changed, point);
}
