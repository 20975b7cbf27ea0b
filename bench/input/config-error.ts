/**
 * A user's mistake: something named on the command line, in a sweep, a cost file or a trace that cannot be.
 *
 * The message is one line and says which file, line and field, which value, and what is allowed. Only
 * `scripts/shadewalk.ts` catches it, prints it and exits with code 2.
 */
import { OutsideMemory } from "../../machine/outside-memory.ts";
import { bare, oneLine, quote } from "../../workloads/trace/quote.ts";
import { TraceError } from "../../workloads/trace/trace-error.ts";

export { bare, oneLine, quote };

export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Is it the user's mistake: a wrong name or number, a broken trace, tables that lead outside memory? */
export function isUserMistake(error: unknown): error is Error {
  return (
    error instanceof ConfigError || error instanceof TraceError || error instanceof OutsideMemory
  );
}

/** What the outside world refuses: a folder that cannot be written, a worker that died. Exit code 1. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";
}

/** The user stopped it before there was anything to show. Exit code 130. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** The entry called `name`, or a complaint that lists every entry. `what` is "engine", "workload", ... */
export function pick<const R extends Readonly<Record<string, unknown>>>(
  registry: R,
  name: string,
  what: string,
): R[keyof R] {
  if (!Object.hasOwn(registry, name)) throw unknownName(what, name, Object.keys(registry));
  return registry[name] as R[keyof R];
}

export function unknownName(what: string, name: string, allowed: readonly string[]): ConfigError {
  return new ConfigError(`${what} ${quote(name)}: ${unknownText(name, allowed)}`);
}

/** The second half of the complaint, for callers that name the place in their own way. */
export function unknownText(name: string, allowed: readonly string[]): string {
  const near = nearest(name, allowed);
  const hint = near === undefined ? "" : ` Did you mean ${near}?`;
  return `unknown.${hint} Allowed: ${allowed.join(", ")}`;
}

/** The allowed name that a typing slip most likely meant, if one is near enough. */
function nearest(name: string, allowed: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of allowed) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Letters to insert, drop, replace or swap with a neighbour between two words. Source: Damerau 1964, by rows. */
function editDistance(from: string, to: string): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(from).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(to).entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      const areSwapped = i > 0 && j > 0 && letter === to[j - 1] && from[i - 1] === other;
      const swapped = areSwapped ? (before[j - 1] ?? 0) + 1 : replaced;
      next.push(Math.min(replaced, swapped, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** An error as one line, for a reader who did not cause it. */
export function errorLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return oneLine(memoryLine(error) ?? message);
}

/** What to say of an error that memory is the reason of, and what to do; null for every other error. */
export function memoryLine(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = "code" in error ? error.code : undefined;
  if (code === "ERR_WORKER_OUT_OF_MEMORY") {
    const advice =
      "take smaller parameters, or give it more by NODE_OPTIONS=--max-old-space-size=MB";
    return `out of memory: the heap of a worker is full: ${advice}`;
  }
  if (code === "ERR_WORKER_INIT_FAILED") {
    return `a worker thread cannot be started: ${error.message}: take fewer --workers`;
  }
  if (!(error instanceof RangeError) || !error.message.startsWith("Array buffer alloc"))
    return null;
  return "out of memory: the system gives no more: take smaller parameters or fewer --workers";
}
