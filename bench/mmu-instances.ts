/**
 * Which copy of the fast translation unit's code a point gets.
 *
 * V8 folds a unit's arrays into its code as long as the factory has run once in its module instance. A long
 * point is worth its own instance (a query string makes one), a short one would only pay for compiling it.
 */
import type { MmuFactory } from "../machine/machine.ts";
import { fastMmu } from "../machine/fast.ts";

/** Accesses from which compiling (about 10 ms) is repaid. */
const ownCodeAccesses = 1_000_000;
let instances = 0;

/** The factory for a point of about `accesses` accesses. */
export async function mmuFor(accesses: number): Promise<MmuFactory> {
  if (accesses < ownCodeAccesses) return fastMmu;
  instances += 1;
  const copy = (await import(`../machine/fast.ts?i=${instances}`)) as { fastMmu: MmuFactory };
  return copy.fastMmu;
}
