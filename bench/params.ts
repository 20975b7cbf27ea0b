/**
 * Checks a workload's parameters against its defaults, which are the only list of them.
 *
 * A parameter's default says its kind: a whole number, a fraction, or a word. So no workload repeats that in
 * a schema, and a wrong value is refused before the first run.
 */
import { ConfigError, quote, unknownText } from "./config-error.ts";

export type ParamValues = Readonly<Record<string, number | string>>;

/** What the check needs to know of a workload. */
export interface ParamSource {
  readonly defaults: ParamValues;
}

/** Says what is wrong with one value, or nothing. */
export function paramProblem(
  { defaults }: ParamSource,
  name: string,
  value: number | string,
): string | undefined {
  const usual = Object.hasOwn(defaults, name) ? defaults[name] : undefined;
  if (usual === undefined) return unknownText(name, Object.keys(defaults));
  if (typeof usual === "string") {
    return typeof value === "string" ? undefined : `${value}: must be a word, such as ${usual}`;
  }
  const isGood =
    typeof value === "number" && value >= 0 && (Number.isSafeInteger(value) || isFraction(usual));
  // NaN fails `>=`, infinity is no safe integer and no fraction.
  if (isGood && Number.isFinite(value)) return undefined;
  const kind = isFraction(usual) ? "a finite number from 0 up" : "a whole number from 0 up";
  return `${quote(value)}: must be ${kind}, such as ${usual}`;
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
    const value = typeof source.defaults[name] === "string" ? text : readNumber(text);
    const problem = paramProblem(source, name, value);
    if (problem !== undefined) throw new ConfigError(`--param ${name}: ${problem}`);
    given[name] = value;
  }
  return fullParams(source, given);
}

function isFraction(value: number): boolean {
  return !Number.isInteger(value);
}

/** A number, or the word itself, so that the complaint can show it. */
function readNumber(text: string): number | string {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
}
