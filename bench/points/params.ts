/**
 * Checks a workload's parameters against its defaults, which are the only list of them.
 *
 * A parameter's default says its kind: a whole number, a fraction, or a word. So no workload repeats that in
 * a schema, and a wrong value is refused before the first run.
 */
import { bare } from "../../workloads/trace/quote.ts";
import { ConfigError, quote, unknownText } from "../input/config-error.ts";
import { pageSizeWord } from "../input/page-size.ts";
import { paramRange } from "./param-ranges.ts";

export type ParamValues = Readonly<Record<string, number | string>>;

/** What the check needs to know of a workload. */
export interface ParamSource {
  readonly defaults: ParamValues;
  /** Guest memory that the program needs, in 4 KiB frames. */
  guestFrames(params: ParamValues): number;
}

/** Parameters that mean the same in every workload and have few values. */
const choices: Readonly<Record<string, readonly (number | string)[]>> = {
  pageSize: ["4k", "2m"],
  kpti: [0, 1],
  pcid: [0, 1],
  usedMemory: [0, 1],
};

/** 128 GiB of guest memory: what a machine is built with at most. */
const guestFramesMax = 2 ** 25;

/** Says what is wrong with one value, or nothing. */
export function paramProblem(
  { defaults }: ParamSource,
  name: string,
  value: number | string,
): string | undefined {
  const usual = Object.hasOwn(defaults, name) ? defaults[name] : undefined;
  if (usual === undefined) return unknownText(name, Object.keys(defaults));
  const words = Object.hasOwn(choices, name) ? choices[name] : undefined;
  if (words !== undefined) {
    return words.includes(value) ? undefined : `${quote(value)}: must be ${words.join(" or ")}`;
  }
  if (typeof usual === "string") {
    return typeof value === "string" ? undefined : `${value}: must be a word, such as ${usual}`;
  }
  const { min, max } = paramRange(name, usual);
  const isWhole = Number.isInteger(usual);
  const isGood =
    typeof value === "number" &&
    value >= min &&
    value <= max &&
    (!isWhole || Number.isInteger(value));
  if (isGood) return undefined;
  const kind = isWhole ? "a whole number" : "a number";
  return `${quote(value)}: must be ${kind} from ${min} to ${max}, such as ${usual}`;
}

/** Says whether the whole is too large for a machine, or nothing. */
export function sizeProblem(source: ParamSource, params: ParamValues): string | undefined {
  const frames = source.guestFrames(params);
  if (frames <= guestFramesMax) return undefined;
  return `${frames} frames of guest memory: must be at most ${guestFramesMax} (128 GiB)`;
}

/** Defaults filled in, keys sorted: the form that results store. */
export function fullParams({ defaults }: ParamSource, given: ParamValues): ParamValues {
  const all = { ...defaults, ...given };
  return Object.fromEntries(
    Object.keys(all)
      .toSorted()
      .map((name) => [name, all[name] ?? 0]),
  );
}

/** Reads `name=value` words from the command line. */
export function readParams(source: ParamSource, words: readonly string[]): ParamValues {
  const given: Record<string, number | string> = {};
  for (const word of words) {
    const [, name, text] = /^([^=]+)=(.*)$/.exec(word) ?? [];
    if (name === undefined || text === undefined) {
      throw new ConfigError(`--param ${quote(word)}: must be NAME=VALUE`);
    }
    const value = asMeant(
      name,
      typeof source.defaults[name] === "string" ? text : readNumber(text),
    );
    const problem = paramProblem(source, name, value);
    if (problem !== undefined) throw new ConfigError(`--param ${bare(name)}: ${problem}`);
    given[name] = value;
  }
  const params = fullParams(source, given);
  const problem = sizeProblem(source, params);
  if (problem !== undefined) throw new ConfigError(`--param: ${problem}`);
  return params;
}

/** The value under its one name: page sizes are written in several ways. */
export function asMeant<T>(name: string, value: T): T | string {
  return name === "pageSize" && typeof value === "string" ? pageSizeWord(value) : value;
}

/** A number, or the word itself, so that the complaint can show it. */
function readNumber(text: string): number | string {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
}
