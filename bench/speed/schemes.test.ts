/** What is timed is the walk that each scheme is known for. */
import { expect, test } from "vitest";
import { fastMmu } from "../../machine/fast.ts";
import { measureSchemes } from "./schemes.ts";

// Seen failing: a region that the guest's kernel maps by 2 MiB pages (19 references under EPT).
test.each([
  ["ept", 24],
  ["ept-folded", 14],
  ["arm-s2", 24],
  ["riscv-h", 24],
] as const)("a walk under %s takes %i references", (scheme, references) => {
  const [row] = measureSchemes([scheme], 1, fastMmu);
  expect(row?.referencesPerWalk).toBe(references);
  expect(row?.nanosecondsPerReference).toBeGreaterThan(0);
});
