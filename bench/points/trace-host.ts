/**
 * On what a trace runs: what it says itself, then what its user asks for, then the usual.
 *
 * A trace decides some of it. Asked for something else, it is refused, for the record of a run says what was so.
 */
import type { PagingLevels } from "../../machine/address.ts";
import { ConfigError } from "../input/config-error.ts";
import { type LevelPair, anyLevelPairs, levelsOf } from "./levels.ts";
import type { PointKey } from "../results/result.ts";

/** The part of a point's key that its user may leave open. */
export type Host = Pick<PointKey, "backing" | "guestLevels" | "nestedLevels" | "seed">;

/** What the user asked for; undefined: nothing. */
export interface AskedHost {
  readonly backing?: Host["backing"] | undefined;
  readonly levels?: LevelPair | undefined;
  readonly seed?: number | undefined;
}

/** What a trace decides; undefined: nothing. `seed` is false where nothing is placed at random. */
export interface SaidHost {
  readonly backing?: Host["backing"] | undefined;
  readonly guestLevels?: PagingLevels;
  readonly seed?: false;
}

const usual = { backing: "4k", levels: "4-on-4", seed: 1 } as const;

/** What a run is on, when nothing but its user decides. */
export function hostOf({ backing, levels, seed }: AskedHost): Host {
  return {
    backing: backing ?? usual.backing,
    ...levelsOf(levels ?? usual.levels),
    seed: seed ?? usual.seed,
  };
}

/** Throws a `ConfigError` that says which option the trace contradicts. */
export function traceHost(file: string, said: SaidHost, asked: AskedHost): Host {
  const host = hostOf(asked);
  const { backing = host.backing, guestLevels = host.guestLevels } = said;
  if (asked.backing !== undefined && asked.backing !== backing) {
    throw new ConfigError(
      `--backing ${asked.backing}: ${file} runs on host pages of ${backing}, allowed: ${backing}`,
    );
  }
  if (asked.levels !== undefined && guestLevels !== host.guestLevels) {
    const allowed = anyLevelPairs.filter((pair) => levelsOf(pair).guestLevels === guestLevels);
    throw new ConfigError(
      `--levels ${asked.levels}: the guest of ${file} has ${guestLevels} levels, allowed: ${allowed.join(", ")}`,
    );
  }
  if (asked.seed !== undefined && said.seed === false) {
    throw new ConfigError(`--seed ${asked.seed}: nothing in ${file} is placed at random`);
  }
  return { ...host, backing, guestLevels };
}
