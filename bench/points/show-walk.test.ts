import { expect, test } from "vitest";
import { presets } from "../../machine/presets.ts";
import { engineNames } from "./catalogue.ts";
import { levelPairNames, levelsOf } from "./levels.ts";
import { showWalk } from "./show-walk.ts";

const page = { gva: "0x412345", preset: "textbook", pages: "4k", backing: "4k" } as const;

// n guest references, and m nested ones for each of them and for the page itself: n + m(n + 1).
test.each([
  ["ept", "4-on-4", {}, 4, 20],
  ["npt", "4-on-4", {}, 4, 20],
  ["ept", "5-on-5", {}, 5, 30],
  ["ept", "4-on-5", {}, 4, 25],
  ["ept", "5-on-4", {}, 5, 24],
  ["ept", "4-on-4", { backing: "2m" }, 4, 15],
  ["ept", "4-on-4", { pages: "2m" }, 3, 16],
  ["ept", "4-on-4", { pages: "2m", backing: "2m" }, 3, 12],
  ["ept", "4-on-4", { backing: "1g" }, 4, 10],
  ["npt", "5-on-5", { backing: "1g" }, 5, 18],
  ["ept", "4-on-4", { pages: "2m", backing: "1g" }, 3, 8],
  ["native", "4-on-4", {}, 4, 0],
  ["native", "5-on-5", {}, 5, 0],
  ["riscv", "3-on-3", {}, 3, 0],
  ["riscv-h", "3-on-3", {}, 3, 12],
  ["riscv-h", "4-on-4", {}, 4, 20],
  ["riscv-h-svadu", "5-on-5", {}, 5, 30],
  ["riscv-h", "3-on-4", {}, 3, 16],
  ["arm", "4-on-4", {}, 4, 0],
  ["arm-s2", "4-on-3", {}, 4, 15],
  ["arm-s2-hafdbs", "4-on-4", {}, 4, 20],
  ["arm-s2", "3-on-3", {}, 3, 12],
  ["riscv-h", "4-on-4", { pages: "2m", backing: "1g" }, 3, 8],
  ["shadow", "4-on-4", {}, 4, 0],
  ["shadow-vtlb", "4-on-4", {}, 4, 0],
  ["shadow-lazy", "4-on-4", {}, 4, 0],
  ["shadow-lazy", "4-on-4", { pages: "2m", backing: "2m" }, 3, 0],
] as const)("a cold %s walk, %s, %o reads %i + %i entries", (engine, pair, size, guest, nested) => {
  const { steps, hpa } = showWalk({ ...page, engine, ...levelsOf(pair), ...size });
  const count = (wanted: string) => steps.filter(({ dimension }) => dimension === wanted).length;
  expect([count("guest"), count("nested")]).toEqual([guest, nested]);
  expect(steps.map(({ step }) => step)).toEqual(steps.map((_, index) => index + 1));
  expect(hpa.endsWith("345")).toBe(true);
});

test("each entry of a walk leads to the next, and the last one to the page", () => {
  const { steps, hpa } = showWalk({ ...page, engine: "native", ...levelsOf("4-on-4") });
  const frames = steps.map(({ meaning }) => BigInt(/frame (0x[0-9a-f]+)/.exec(meaning)?.[1] ?? 0));
  for (const [index, { address }] of steps.slice(1).entries()) {
    expect(BigInt(address) - (BigInt(address) % 4096n)).toBe(frames[index]);
  }
  expect(BigInt(hpa)).toBe((frames.at(-1) ?? 0n) + 0x345n);
  expect(steps.map(({ level }) => level)).toEqual([4, 3, 2, 1]);
  expect(steps.every(({ meaning }) => / P W U A/.test(meaning))).toBe(true);
});

// Seen refused ("must be hexadecimal, below 0x100000000000") or, on page 0, failing with a stack trace.
test.each([
  ["0x0", "user"],
  ["0xfff", "user"],
  ["0x555555554000", "user"],
  ["0x7ffd6f0a1b58", "user"],
  // The program's own code, its stack, and the last byte that a program can have.
  ["0x100000000000", "user"],
  ["0x7fffffffe000", "user"],
  ["0x7fffffffffff", "user"],
  ["0xffff800000000000", "kernel, on demand"],
  ["0xffff888000001000", "direct map"],
  ["0xffff888123456789", "direct map"],
  ["0xfffffe0000000000", "entry area"],
  ["0xffffff8000000123", "kernel text"],
  ["0xffffffff81000000", "kernel, on demand"],
  ["0xffffffffffffffff", "kernel, on demand"],
])("the walk of %s leads to a page that is %s, under every kind of engine", (gva, kind) => {
  for (const [engine, references] of [
    ["native", 4],
    ["ept", 24],
    ["shadow", 4],
    ["kvm-6.12", 4],
  ] as const) {
    const shown = showWalk({ ...page, gva, engine, ...levelsOf("4-on-4") });
    expect(shown).toMatchObject({ gva, kind });
    expect(shown.steps).toHaveLength(references);
    expect(BigInt(shown.hpa) % 4096n).toBe(BigInt(gva) % 4096n);
  }
});

test("on bare metal the direct map is memory in order, whatever the page size", () => {
  for (const pages of ["4k", "2m"] as const) {
    const request = { ...page, pages, engine: "native", gva: "0xffff888123456789" };
    const { hpa, steps } = showWalk({ ...request, ...levelsOf("4-on-4") });
    expect([hpa, steps.length]).toEqual(["0x123456789", pages === "4k" ? 4 : 3]);
  }
});

test("with five levels a program has 2^56 bytes, and the kernel as many", () => {
  const five = { ...page, engine: "ept", ...levelsOf("5-on-4") };
  for (const gva of ["0x800000000000", "0xfedcba98765432", "0xff11000000001000"])
    expect(showWalk({ ...five, gva })).toMatchObject({ gva, steps: { length: 29 } });
});

// A different pointer, size and depth for each pair; what nobody has is refused with a line, never a stack trace.
test("every engine on every preset walks pointers at the borders of the address space", () => {
  const pointers = ["0x0", "0x7fffffffffff", "0xffff800000000000", "0xffff888040000000"];
  const more = ["0x100000000000", "0xffffff8000000000", "0xffffffffffffffff"];
  const gvas = [...pointers, ...more];
  const sizes = ["4k", "2m"] as const;
  let turn = 0;
  for (const engine of engineNames) {
    for (const preset of Object.keys(presets)) {
      turn += 1;
      const gva = gvas[turn % gvas.length] ?? "0x0";
      const pair = gva.startsWith("0xffff8") ? "4-on-5" : (levelPairNames[turn % 4] ?? "4-on-4");
      const [pages, backing] = [sizes[turn % 2] ?? "4k", sizes[Math.floor(turn / 2) % 2] ?? "4k"];
      const walk = showWalk({ gva, engine, preset, ...levelsOf(pair), pages, backing });
      expect(walk.steps.length).toBeGreaterThanOrEqual(pages === "2m" ? 3 : 4);
    }
  }
});

test.each([
  ["4194304", {}, 'GVA "4194304": may be decimal or hexadecimal: write 0x4194304, or 0x400000'],
  ["0x800000000000", {}, 'GVA "0x800000000000": is not canonical with 4 levels, allowed: 0x0 to'],
  ["0xfffffe0000001000", { pages: "2m" }, "is in the kernel's entry area, whose pages are 4k"],
] as const)("%s with %o is refused in one line", (gva, change, message) => {
  const request = { ...page, engine: "ept", gva, ...levelsOf("4-on-4"), ...change };
  expect(() => showWalk(request)).toThrow(message);
});

// Seen failing with frames that are looked for in L0's map alone.
test.each([
  ["npt@npt", 9],
  ["ept@ept", 3],
] as const)(
  "%s: a new frame is a cascade of %i exits, then L0's own violation",
  (engine, exits) => {
    const { cascade, frames, hpa } = showWalk({ ...page, engine, ...levelsOf("4-on-4") });
    const first = cascade.findIndex(({ kind }) => kind === "entry");
    expect(first).toBe(exits);
    expect(cascade[0]).toMatchObject({ from: "L2", cause: "ept-violation", answeredBy: "L1" });
    expect(cascade[first + 1]).toMatchObject({ cause: "ept-violation", answeredBy: "L0" });
    expect(BigInt(hpa) / 4096n).toBe(BigInt(frames?.host ?? -1));
    expect(new Set([frames?.l2, frames?.l1, frames?.host]).size).toBe(3);
  },
);

test("with one level there is no cascade", () => {
  const shown = showWalk({ ...page, engine: "npt", ...levelsOf("4-on-4") });
  expect(shown).toMatchObject({ cascade: [], frames: null });
});
