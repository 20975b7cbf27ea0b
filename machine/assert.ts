/**
 * Our own bugs stop the run at once, with the values that show them.
 *
 * A guest's fault is a value, a user's mistake is a `ConfigError` (see `bench/`): neither comes here.
 */

/**
 * Throws when `condition` is false. The message names a thing and says what is wrong with it. Where an exit or a
 * guest fault passes, give a function: a text with values in it takes as long to make as the rest of the exit's
 * bookkeeping (three of them: a tenth of a trapped PTE store), and nobody reads it.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (condition) return;
  throw new Error(`bug: ${typeof message === "string" ? message : message()}`);
}
