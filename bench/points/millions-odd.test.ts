/**
 * Twenty million accesses of real guest programs, no mismatch: half of the engines; the others are in the
 * file beside this one, so that the two run at once.
 */
import { expect, test } from "vitest";
import { engineNames } from "./catalogue.ts";
import { checkPrograms } from "./checked-points.ts";

const half = engineNames.filter((_, index) => index % 2 === 1);

// Mutations seen failing: those of `planted.test.ts`, each on the engine that it concerns.
test.each(half)("under %s every access of four programs is legal, and exactly so", (engine) => {
  const { accesses, faults, stale } = checkPrograms(engine);
  expect(stale).toBe(0);
  expect(faults).toBeGreaterThan(20_000);
  // Every engine runs the same accesses, so this is the sum over both files.
  const total = accesses * engineNames.length;
  expect(total).toBeGreaterThanOrEqual(20_000_000);
  process.stdout.write(
    `oracle: ${accesses} accesses under ${engine}, ${total} in all, 0 mismatches\n`,
  );
});
