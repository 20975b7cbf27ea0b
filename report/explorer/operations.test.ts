import { expect, test } from "vitest";
import { type OperationName, operations, runOperation } from "./operations.ts";

const preset = "skylake-sp";

function exitsOf(name: OperationName, engine: string): number[] {
  return runOperation(operations[name], { engine, preset }).map(({ work }) => work.exits);
}

test("a PTE store exits under trap-on-write at once, under lazy shadow once per table", () => {
  expect(exitsOf("pte-stores", "shadow")).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  expect(exitsOf("pte-stores", "ept")).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  expect(exitsOf("pte-stores", "native")).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  const lazy = exitsOf("pte-stores", "shadow-lazy").slice(0, 4);
  expect(lazy.reduce((sum, exits) => sum + exits, 0)).toBeLessThan(4);
});

test("a CR3 load exits under every shadow engine and under no other", () => {
  for (const engine of ["shadow", "shadow-vtlb", "shadow-lazy"]) {
    expect(exitsOf("cr3", engine)[0]).toBe(1);
  }
  for (const engine of ["native", "ept", "npt"]) expect(exitsOf("cr3", engine)[0]).toBe(0);
});

test("a first touch runs the guest's handler, and what exits is written down before it is answered", () => {
  const [touch] = runOperation(operations["first-touch"], { engine: "shadow", preset });
  expect(touch?.work.guestPageFaults).toBe(1);
  const actors = touch?.happenings.map(({ actor }) => actor) ?? [];
  expect(actors).toContain("guest");
  expect(actors.filter((actor) => actor === "exit")).toHaveLength(touch?.work.exits ?? -1);
  expect(actors[actors.indexOf("exit") + 1]).toBe("hypervisor");
});

test.each([
  // A store to an entry, its flush, the use of the page: shadow paging in a guest multiplies, nested paging does not.
  ["npt@npt", [0, 0, 0]],
  ["pvm@ept", [0, 0, 0]],
] as const)("under %s L0 takes no exit for a changed entry", (engine, exits) => {
  expect(exitsOf("pte-store", engine)).toEqual(exits);
});

// Seen failing with steps that are kept from one exit to the next.
test("an exit of a guest's guest says who answers, and what L1 executes until it runs on", () => {
  const [touch] = runOperation(operations["first-touch"], { engine: "npt@npt", preset });
  const texts = touch?.happenings.map(({ text }) => text) ?? [];
  expect(texts).toContain(
    "L0 hands it to L1. Until L2 runs on, L1 exits to L0 8 times: VMSAVE, VMLOAD, STGI, violation, RDMSR, CLGI, VMLOAD, VMRUN.",
  );
  expect(texts).toContain("L0 answers alone: L1 does not hear of it.");
});
