/**
 * What a person wrote on the command line, apart from defaults; and the refusal of what would not be used.
 *
 * An option that is accepted is used. Beside another that makes it mean nothing, it is a mistake worth a line.
 */
import { ConfigError } from "../../bench/input/config-error.ts";

/** The part of commander's `Command` that knows. */
export interface Words {
  readonly options: readonly {
    readonly long?: string | undefined;
    attributeName(): string;
  }[];
  getOptionValueSource(name: string): string | undefined;
}

function isGiven(words: Words, name: string): boolean {
  return words.getOptionValueSource(name) === "cli";
}

/** The options without those that only have their default. */
export function givenOptions<T extends object>(words: Words, options: T): Partial<T> {
  const entries = Object.entries(options).filter(([name]) => isGiven(words, name));
  return Object.fromEntries(entries) as Partial<T>;
}

/** Refuses the first of `names` that was given, and says why it would not be used. */
export function refuseGiven<T extends string>(
  words: Words,
  names: readonly T[],
  why: string,
): void {
  for (const option of words.options) {
    const name = option.attributeName();
    if (!isGiven(words, name) || !names.some((one) => one === name)) continue;
    throw new ConfigError(`${option.long ?? name}: ${why}`);
  }
}

/** All options but `kept`. */
export function otherNames(words: Words, kept: readonly string[]): readonly string[] {
  return words.options.map((one) => one.attributeName()).filter((name) => !kept.includes(name));
}
