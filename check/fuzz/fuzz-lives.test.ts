/** The fuzzer of other ISAs than x86-64: the same seed lives the same lives, and a bug ends them. */
import { afterEach, expect, test, vi } from "vitest";
import { Contexts } from "../../guest/contexts.ts";
import { fuzzLives } from "./fuzz-lives.ts";

afterEach(() => vi.restoreAllMocks());

const options = {
  seed: 5,
  ops: 400,
  engines: ["riscv-h", "arm-s2"],
  presets: ["roomy"],
  onProgress: () => undefined,
};

test("a seed decides every life", () => {
  const result = fuzzLives(options);
  expect(result).toMatchObject({ programs: 1, ops: 400, failure: null });
  expect(fuzzLives(options)).toEqual(result);
});

// Seen failing: a kernel that fences has nothing planted (the test above).
test.each([
  [
    "riscv-h",
    /riscv-h on roomy failed \(life 1, \d-on-\d, \w\w host pages\): .* should have fenced$/,
  ],
  ["arm-s2", /arm-s2 on roomy failed .* is made with no fence of page/],
])("a kernel of %s that does not fence its pages is found", (name, said) => {
  for (const flush of ["flushPage", "flushPages"] as const) {
    vi.spyOn(Contexts.prototype, flush).mockReturnValue(undefined);
  }
  expect(fuzzLives({ ...options, ops: 4000, engines: [name] }).failure).toMatch(said);
});
