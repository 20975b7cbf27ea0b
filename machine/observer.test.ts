/** What an observer is told: every access with its frame, every fault, every invalidation with its scope. */
import { expect, test } from "vitest";
import type { Gfn, Pfn, Vpn } from "./address.ts";
import { A, D, P, U, W } from "./entry.ts";
import { lowHalf } from "./formats/x86-entry.ts";
import { bareMetalControls } from "./controls.ts";
import { fastMmu } from "./fast.ts";
import type { ExitHandler } from "./virtual-cpu.ts";
import { Machine } from "./machine.ts";
import { FETCH, STORE, USER } from "./mmu.ts";
import type { Observer } from "./observer.ts";
import { presets } from "./presets.ts";

/** Bare metal whose first 512 pages lie at their own numbers; page 9 is missing. */
function watched() {
  const machine = new Machine({
    preset: presets.textbook,
    mmu: fastMmu,
    guestFrames: 1024,
    vcpus: 1,
    seed: 1,
    backing: "4k",
    nestedLevels: 4,
    placement: "scatter",
    slotsMax: 64,
  });
  const { memory } = machine;
  const vcpu = machine.vcpus[0]!;
  const at = (gfn: Gfn) => gfn as number as Pfn;
  for (const [table, below] of [
    [600, 601],
    [601, 602],
    [602, 603],
  ] as const) {
    memory.writeEntry(table as Pfn, 0, below, P | W | U | A);
  }
  for (let i = 0; i < 512; i++) {
    if (i !== 9) memory.write(603 as Pfn, i, lowHalf(i, P | W | U | A | D), 0);
  }
  const handler: ExitHandler = {
    memory: { touchForWrite: at },
    boot(cpu, cr3) {
      cpu.setControls(bareMetalControls);
      cpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit: () => "resume",
  };
  vcpu.software = { pageFault: () => "abandon" };
  vcpu.boot(
    handler,
    { root: 600 as Gfn, pcid: 0, keep: false },
    { writeProtect: true, globalPages: true, pcid: true, levels: 4 },
  );
  const told: unknown[] = [];
  const kinds = (high: number) => [
    high < 0 ? "store" : "load",
    (high & FETCH) !== 0,
    (high & USER) !== 0,
  ];
  const observer: Observer = {
    access: (_cpu, vpn, high, pfn) => told.push([vpn, pfn, ...kinds(high)]),
    storing: (_cpu, pfn, store) => told.push(["storing", pfn, store.kind]),
    // The frame stands for its version.
    copying: (_cpu, from) => from,
    copied: (_cpu, to, version) => told.push(["copied", to, version]),
    mmio: () => told.push("mmio"),
    denied: () => told.push("denied"),
    emulated: () => told.push("emulated"),
    guestFault: (_cpu, { vpn, error }) => told.push(["fault", vpn, error]),
    invalidated: (_cpu, scope) => told.push(scope),
  };
  vcpu.observer = observer;
  const tell = (ops: () => void) => {
    told.length = 0;
    ops();
    vcpu.drain();
    return [...told];
  };
  return { vcpu, tell };
}

const page = (n: number) => n as Vpn;

// Planted: accesses of known value that nobody is told of, a copy told before its bytes are there.
test("every access is told once, with what it was, those of known value too", () => {
  const { vcpu, tell } = watched();
  expect(STORE).toBeLessThan(0);
  expect(tell(() => [vcpu.read(page(1)), vcpu.write(page(2)), vcpu.fetch(page(3))])).toEqual([
    [1, 1, "load", false, false],
    [2, 2, "store", false, false],
    [3, 3, "load", true, false],
  ]);
  expect(tell(() => vcpu.load(page(4), 0))).toEqual([[4, 4, "load", false, false]]);
  expect(tell(() => vcpu.store(page(5), 1, 7, 0))).toEqual([
    [5, 5, "store", false, false],
    ["storing", 5, "entry"],
  ]);
  expect(tell(() => vcpu.zeroPage(page(6)))).toEqual([
    [6, 6, "store", false, false],
    ["storing", 6, "page"],
  ]);
  expect(tell(() => vcpu.copyPage(page(7), page(5)))).toEqual([
    [5, 5, "load", false, false],
    [7, 7, "store", false, false],
    ["storing", 7, "page"],
    ["copied", 7, 5],
  ]);
  expect(vcpu.load(page(7), 1)).toBe(7);
  vcpu.setPrivilege("user");
  expect(tell(() => vcpu.read(page(8)))).toEqual([[8, 8, "load", false, true]]);
  vcpu.setPrivilege("supervisor");
  expect(tell(() => vcpu.read(page(9)))).toEqual([["fault", 9, 0]]);
});

test("every invalidation is told with its scope", () => {
  const { vcpu, tell } = watched();
  const root = 600 as Gfn;
  expect(tell(() => vcpu.invlpg(page(5)))).toEqual([
    { kind: "page", vpn: 5, pcid: 0, globals: true },
  ]);
  expect(tell(() => vcpu.invpcid("address", 3, page(6)))).toEqual([
    { kind: "page", vpn: 6, pcid: 3, globals: false },
  ]);
  expect(tell(() => vcpu.invpcid("context", 3))).toEqual([{ kind: "context", pcid: 3 }]);
  expect(tell(() => vcpu.invpcid("all", 0))).toEqual([{ kind: "all", globals: false }]);
  expect(tell(() => vcpu.invpcid("all-with-globals", 0))).toEqual([{ kind: "all", globals: true }]);
  expect(tell(() => vcpu.writeCr3(root, 4, false))).toEqual([{ kind: "context", pcid: 4 }]);
  expect(tell(() => vcpu.writeCr3(root, 5, true))).toEqual([]);
  const { registers } = vcpu;
  const cr4 = (change: object) =>
    tell(() => vcpu.writeRegisters("cr4", { ...registers, ...change }));
  expect(cr4({})).toEqual([]);
  expect(cr4({ globalPages: false })).toEqual([{ kind: "all", globals: true }]);
  expect(cr4({ globalPages: false, pcid: false })).toEqual([{ kind: "all", globals: true }]);
  expect(
    tell(() => vcpu.writeRegisters("cr0", { ...vcpu.registers, writeProtect: false })),
  ).toEqual([]);
});
