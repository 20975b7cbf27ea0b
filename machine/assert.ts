/**
 * Our own bugs stop the run at once, with the values that show them.
 *
 * A guest's fault is a value, a user's mistake is a `ConfigError` (see `bench/`): neither comes here.
 */

/** Throws when `condition` is false. The message names a thing and says what is wrong with it. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}
