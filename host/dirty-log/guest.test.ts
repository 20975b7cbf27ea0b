/** The guest of the dirty-log test by itself: where its memory lies, who goes over which pages, and what is written down. */
import { describe, expect, test } from "vitest";
import { counterNames } from "../../bench/results/result.ts";
import { buildComputer } from "../../engines/computer.ts";
import { engines } from "../../engines/index.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import { phasesCsv } from "./dirty-log-table.ts";
import { bootMemstress } from "./memstress.ts";
import { layoutOf, pagesOf } from "./settings.ts";
import { phasesOf, testSettings } from "./test-settings.ts";

describe("sizes", () => {
  test("are bytes with a unit, whole pages", () => {
    const sizes = ["4096", "8K", "10M", "3g", "64G"].map((text) => pagesOf("-b", text));
    expect(sizes).toEqual([1, 2, 2560, 3 * 2 ** 18, 2 ** 24]);
    for (const text of [
      "",
      "0",
      "1",
      "4097",
      "6K",
      "1T",
      "x4096",
      "4096x",
      "65G",
      "-4096",
      "1.5M",
    ]) {
      expect(() => pagesOf("-b", text), text).toThrow(`-b ${JSON.stringify(text)}: must be a size`);
    }
  });

  test("leave room for two tables per leaf table below the memory, which is aligned to 2 MiB", () => {
    const layout = (pagesPerVcpu: number, vcpus = 1, slots = 1) =>
      layoutOf(testSettings("ept-wp", { pagesPerVcpu, vcpus, slots }));
    expect(layout(1)).toEqual({ first: 1024, pages: 1, guestFrames: 1025 });
    // 256 leaf tables: 512 frames beside the spare 512.
    expect(layout(2 ** 17)).toEqual({ first: 1024, pages: 2 ** 17, guestFrames: 2 ** 17 + 1024 });
    expect(layout(2 ** 17 + 1).first).toBe(1536);
    expect(layout(100, 4)).toMatchObject({ pages: 400 });
    expect(() => layout(100, 3, 7)).toThrow("-x 7: must divide the guest's 300 pages evenly");
    expect(layout(100, 7, 7).pages).toBe(700);
    expect(layout(2 ** 22, 4).pages).toBe(2 ** 24);
    expect(() => layout(2 ** 22 + 1, 4)).toThrow("at most 16777216 (64 GiB)");
  });
});

describe("a pass", () => {
  const small = { pagesPerVcpu: 200, vcpus: 3, iterations: 1 } as const;

  // Planted: turns that skip their last page, regions that begin one page late, a random pass of other length.
  test("goes over each vCPU's own pages once, in turns, whatever the order", () => {
    const phase = phasesOf("ept-wp", small);
    expect(phase("dirty", 1).ledger).toMatchObject({ accesses: 600, stores: 600, exits: 600 });
    expect(phase("get", 1).pagesReported).toBe(600);
    const random = phasesOf("ept-wp", { ...small, order: "random" });
    expect(random("populate").ledger).toMatchObject({ accesses: 600, stores: 600 });
    const { ledger } = random("dirty", 1);
    expect(ledger).toMatchObject({ accesses: 600, stores: 600 });
    // Drawn with replacement: a share of 1/e is never drawn.
    const reported = random("get", 1).pagesReported;
    expect(reported).toBe(ledger.exits);
    expect(Math.abs(reported / 600 - (1 - 1 / Math.E))).toBeLessThan(0.06);
    const other = phasesOf("ept-wp", { ...small, order: "random", seed: 2 });
    expect(other("dirty", 1).ledger.exits).not.toBe(ledger.exits);
  });

  // Planted: an entry that names no vCPU, one too few at the end of a turn, entries of a machine with one vCPU.
  test("enters each vCPU for each turn of 64 pages, unless there is only one", () => {
    const entered = (vcpus: number, pagesPerVcpu: number) => {
      const settings = testSettings("ept-wp", { vcpus, pagesPerVcpu });
      const layout = layoutOf(settings);
      const { preset } = settings;
      const { guestFrames } = layout;
      const { machine, hypervisor } = buildComputer({
        engine: engines["ept-wp"],
        preset,
        guestFrames,
        vcpus,
      });
      const events: HostEvent[] = [];
      const host = (event: HostEvent) => {
        // All that ran before has reached the machine.
        const accesses = machine.vcpus.map((vcpu) => vcpu.snapshot().ledger.accesses);
        events.push(event);
        runs.push(accesses);
        return hypervisor.host(event);
      };
      const runs: number[][] = [];
      const guest = bootMemstress({
        machine,
        hypervisor: { ...hypervisor, host },
        settings,
        layout,
      });
      guest.run({ order: "sequential", writePercent: 0 });
      runs.push(machine.vcpus.map((vcpu) => vcpu.snapshot().ledger.accesses));
      return { events, runs };
    };
    expect(entered(1, 200)).toEqual({ events: [], runs: [[200]] });
    const enter = (vcpu: number) => ({ kind: "vcpu-run", vcpu });
    expect(entered(3, 65)).toEqual({
      events: [enter(0), enter(1), enter(2), enter(0), enter(1), enter(2)],
      runs: [
        [0, 0, 0],
        [64, 0, 0],
        [64, 64, 0],
        [64, 64, 64],
        [65, 64, 64],
        [65, 65, 64],
        [65, 65, 65],
      ],
    });
  });

  test("writes the share of accesses that was asked for, and reads the rest", () => {
    const phase = phasesOf("ept-wp", { ...small, pagesPerVcpu: 1000, writePercent: 30 });
    const { accesses, stores, exits } = phase("dirty", 1).ledger;
    expect(accesses).toBe(3000);
    expect(Math.abs(stores / accesses - 0.3)).toBeLessThan(0.03);
    expect([exits, phase("get", 1).pagesReported]).toEqual([stores, stores]);
    expect(phasesOf("ept-wp", { ...small, writePercent: 0 })("dirty", 1).ledger.stores).toBe(0);
  });

  test("of overlapping vCPUs goes over all memory on each of them", () => {
    const phase = phasesOf("ept-wp", { ...small, regions: "overlapping" });
    expect(phase("dirty", 1).ledger).toMatchObject({ accesses: 3 * 600, exits: 600 });
  });
});

test("phases come in the order of the kernel's test, a clear only where a get does not arm", () => {
  const names = (armedBy: "get" | "clear") => {
    const phase = phasesOf("ept-wp", { pagesPerVcpu: 64, iterations: 2, dirtyLog: { armedBy } });
    return (["populate", "enable", "disable"] as const).map((name) => phase(name).iteration);
  };
  expect(names("get")).toEqual([null, null, null]);
  const quiet = phasesOf("ept-wp", { pagesPerVcpu: 64, iterations: 2 });
  expect(() => quiet("clear", 1)).toThrow("no phase clear");
  const manual = phasesOf("ept-wp-manual", { pagesPerVcpu: 64, dirtyLog: { armedBy: "clear" } });
  expect(manual("clear", 2).ledger).toMatchObject({ accesses: 0, entriesWriteProtected: 64 });
  // Logging that ends under running vCPUs counts their last pass as well.
  expect(quiet("disable").ledger.accesses).toBe(0);
  const running = phasesOf("ept-wp", { pagesPerVcpu: 64, disabling: "running" });
  expect(running("disable").ledger.accesses).toBe(64);
});

test("slots are logged, read and cleared one by one, with the same result", () => {
  const one = phasesOf("ept-wp", { pagesPerVcpu: 512, slots: 1 });
  const four = phasesOf("ept-wp", { pagesPerVcpu: 512, slots: 4 });
  expect(four("get", 1).pagesReported).toBe(one("get", 1).pagesReported);
  expect(one("enable").ledger.remoteInterrupts).toBe(1);
  expect(four("enable").ledger.remoteInterrupts).toBe(4);
  expect(four("enable").ledger.entriesWriteProtected).toBe(512);
});

test("a phase is a line: its name, its counts and what they cost", () => {
  const phase = phasesOf("ept-wp", { pagesPerVcpu: 64, iterations: 1 });
  const dirty = phase("dirty", 1);
  const [head = "", first = "", second = ""] = phasesCsv([phase("enable"), dirty]).split("\n");
  const columns = head.split(",");
  expect(columns.slice(0, 4)).toEqual(["phase", "iteration", "pagesReported", "cyclesTotal"]);
  expect(columns.slice(4)).toEqual([...counterNames]);
  expect(first.startsWith("enable,,0,")).toBe(true);
  const values = second.split(",");
  expect(values.slice(0, 4)).toEqual(["dirty", "1", "0", String(dirty.cyclesTotal)]);
  expect(values[columns.indexOf("exits")]).toBe("64");
  expect(dirty.cyclesTotal).toBeGreaterThan(64 * 1000);
});
