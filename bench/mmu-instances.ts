/**
 * Which copy of the fast translation unit's code a point gets.
 *
 * V8 folds a unit's arrays into its code as long as the factory has run once in its module instance. A long
 * point is worth its own instance (a query string makes one), a short one would only pay for compiling it.
 * An instance is never freed (0.25 MB), which is why `bench/pool.ts` renews its threads now and then.
 */
import type { MmuFactory } from "../machine/machine.ts";
import { fastMmu } from "../machine/fast.ts";
import { codeUrl } from "./code-url.ts";

/**
 * Accesses from which compiling is repaid. Measured, uniform over 32 MiB, processor time of ten points, own
 * code against shared: 200 000 accesses 0.97 s / 1.38 s, a million 2.25 / 3.8, four million 7.1 / 12.7. Every
 * seventh point of the default sweep: 23.1 s from here on, 23.4 from 100 000, 26.8 from 3 million, 27.8 never.
 */
const ownCodeAccesses = 300_000;
let instances = 0;

/** The factory for a point of about `accesses` accesses. */
export async function mmuFor(accesses: number): Promise<MmuFactory> {
  if (accesses < ownCodeAccesses) return fastMmu;
  instances += 1;
  const { href } = codeUrl(new URL(`../machine/fast.ts?i=${instances}`, import.meta.url));
  const copy = (await import(href)) as { fastMmu: MmuFactory };
  return copy.fastMmu;
}
