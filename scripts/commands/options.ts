/**
 * Readers of option values that several commands share. Each throws a one-line `ConfigError`.
 */
import { pageSizeWord } from "../../bench/input/page-size.ts";
import { ConfigError, errorLine, quote, unknownName } from "../../bench/input/config-error.ts";

/** A whole number from `min` to `max`. */
export function wholeNumber(option: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const isGood = text.trim() !== "" && Number.isInteger(value) && value >= min && value <= max;
    if (isGood) return value;
    throw new ConfigError(`${option} ${quote(text)}: must be a whole number from ${min} to ${max}`);
  };
}

/** A number with a unit; `read` complains about what it cannot read. */
export function quantity(option: string, read: (text: string) => number): (text: string) => number {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      throw new ConfigError(`${option} ${errorLine(error)}`);
    }
  };
}

/** Names separated by commas, each one of `allowed`. */
export function nameList(option: string, allowed: readonly string[]): (text: string) => string[] {
  return (text) => {
    const names = text.split(",").map((name) => name.trim());
    for (const name of names) if (!allowed.includes(name)) throw unknownName(option, name, allowed);
    return names;
  };
}

/** Whole numbers separated by commas. */
export function numberList(option: string, min: number, max: number): (text: string) => number[] {
  const read = wholeNumber(option, min, max);
  return (text) => text.split(",").map(read);
}

/** One of a few words. */
export function oneOf<const T extends string>(
  option: string,
  allowed: readonly T[],
): (text: string) => T {
  return (text) => {
    const found = allowed.find((word) => word === text);
    if (found === undefined) throw unknownName(option, text, allowed);
    return found;
  };
}

/** One of some page sizes, in whatever way it is written. */
export function pageSize<const T extends string>(
  option: string,
  allowed: readonly T[],
): (text: string) => T {
  const read = oneOf(option, allowed);
  return (text) => {
    const word = pageSizeWord(text);
    return read(allowed.some((size) => size === word) ? word : text);
  };
}

/** Yes or no, in the ways that the kernel reads a switch: Y, N, 1 and 0, and the whole words; capital or not. */
export function yesOrNo(option: string): (text: string) => boolean {
  return (text) => {
    if (/^(?:y|yes|1)$/i.test(text)) return true;
    if (/^(?:n|no|0)$/i.test(text)) return false;
    throw new ConfigError(`${option} ${quote(text)}: must be y or n`);
  };
}

/** Seeds fit an int32, which the generator mixes. */
export const seedMax = 2 ** 31 - 1;

/** Slurm takes array indices up to 1000 unless told otherwise. */
export const shardsMax = 1000;
