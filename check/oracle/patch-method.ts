/** For tests: a method of a class with a bug planted in it. */
import { vi } from "vitest";

/** Wraps a method for the length of a test: `around` gets the real one, its object and the arguments. */
export function patch<Args extends unknown[], Result>(
  prototype: object,
  name: string,
  around: (original: (...args: Args) => Result, self: never, ...args: Args) => Result,
): void {
  const original = Reflect.get(prototype, name) as (...args: Args) => Result;
  const methods = prototype as Record<string, (...args: Args) => Result>;
  vi.spyOn(methods, name).mockImplementation(function (this: never, ...args: Args) {
    return around((...passed) => original.apply(this, passed), this, ...args);
  });
}
