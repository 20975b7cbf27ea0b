/** For tests: a method that is replaced for a while, to see that its absence is noticed. */

type Method<T, K extends keyof T> = Extract<T[K], (...args: never[]) => unknown>;
type Bound<T, K extends keyof T> = (...args: Parameters<Method<T, K>>) => ReturnType<Method<T, K>>;

export class Planting {
  private readonly undo: (() => void)[] = [];

  /** Runs `body` in place of a method, until `end`; it is given the method as it was. */
  around<T extends object, K extends keyof T>(
    prototype: T,
    name: K,
    body: (
      self: T,
      original: Bound<T, K>,
      ...args: Parameters<Method<T, K>>
    ) => ReturnType<Method<T, K>> | void,
  ): void {
    const original = prototype[name] as Bound<T, K>;
    const planted = function (this: T, ...args: Parameters<Method<T, K>>) {
      const bound: Bound<T, K> = (...words) => Reflect.apply(original, this, words);
      return body(this, bound, ...args);
    };
    const put = (value: unknown) =>
      Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
    put(planted);
    this.undo.push(() => put(original));
  }

  end(): void {
    for (const one of this.undo.splice(0)) one();
  }
}
