/** The guest's clock on a machine of several vCPUs, the log that is cleared by range, and a point as a worker runs it. */
import { describe, expect, test } from "vitest";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import { price, totalCycles } from "../../bench/costs/cost.ts";
import { fullParams } from "../../bench/points/params.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { lowHalf } from "../../machine/formats/x86-entry.ts";
import { presets } from "../../machine/presets.ts";
import { workloads } from "../../workloads/index.ts";
import { bareMetal, testMachine } from "../../workloads/trace/test-machine.ts";
import { GuestClock } from "./guest-clock.ts";
import type { DestinationMemory, SourceMemory } from "./guest-memory.ts";
import { Link } from "./link.ts";
import { runTask } from "./migration-worker.ts";
import { Sender } from "./sender.ts";
import { defaultSettings } from "./settings.ts";
import { migrateSmall } from "./test-migration.ts";

const cost = presetCosts()("skylake-sp");

describe("the guest's clock", () => {
  /** Two vCPUs that run by themselves. */
  function clockOf(computeCyclesPerAccess = 0) {
    const machine = testMachine(2);
    const hypervisor = bareMetal(machine);
    // Four levels of tables from frame 0 on, over the first 2 MiB at their own addresses.
    const link = (table: number, index: number, frame: number) =>
      hypervisor.memory.write(table as Gfn, index, lowHalf(frame, 0x67), 0);
    for (const table of [0, 1, 2]) link(table, 0, table + 1);
    for (let i = 0; i < 512; i++) link(3, i, i);
    const registers = { writeProtect: true, globalPages: true, pcid: false, levels: 4 } as const;
    for (const vcpu of machine.vcpus) {
      vcpu.software = { pageFault: () => "abandon" };
      vcpu.boot(hypervisor, { root: 0 as Gfn, pcid: 0, keep: false }, registers);
    }
    const clock = new GuestClock({ machine, cost, gigahertz: 2.5, computeCyclesPerAccess });
    const run = (cpu: number, pages: number) => {
      for (let i = 0; i < pages; i++) machine.vcpus[cpu]?.read((100 + i) as Vpn);
      machine.vcpus[cpu]?.drain();
    };
    const priced = () => totalCycles(price(machine.snapshot().ledger, 0, cost));
    return { machine, clock, run, priced };
  }

  // Planted: an origin that is no number, one vCPU's work alone, what came before counted in.
  test("counts from boot until it is started, and from there on afterwards, all vCPUs together", () => {
    const { clock, run, priced } = clockOf();
    expect(clock.cyclesPerMs).toBe(2.5e6);
    expect(clock.work()).toEqual({ cycles: priced(), accesses: 0 });
    run(0, 10);
    run(1, 5);
    const first = priced();
    expect(first).toBeGreaterThan(0);
    expect(clock.work()).toEqual({ cycles: first, accesses: 15 });
    clock.start();
    expect(clock.work()).toEqual({ cycles: 0, accesses: 0 });
    run(1, 20);
    expect(clock.work()).toEqual({ cycles: priced() - first, accesses: 20 });
    expect(clock.ledger().accesses).toBe(35);
  });

  test("spreads computation over accesses", () => {
    const [idle, busy] = [clockOf(), clockOf(7)];
    for (const { run } of [idle, busy]) run(0, 30);
    expect(busy.clock.work().cycles - idle.clock.work().cycles).toBe(7 * 30);
  });

  // Planted: the thread's time left in the guest's, or taken out twice.
  test("leaves out what the host's own thread does, aside or not", () => {
    const { machine, clock, run, priced } = clockOf();
    run(0, 4);
    const own = priced();
    const { result, cycles } = clock.onThread(() => {
      run(1, 12);
      return "done";
    });
    expect([result, cycles]).toEqual(["done", priced() - own]);
    // Work that silicon counts is not the thread's here, so counts are those of vCPU 0 alone.
    expect(clock.work().cycles).toBe(own);
    expect(clock.ledger().accesses).toBe(4);
    clock.aside(() => {
      for (const vcpu of machine.vcpus) vcpu.ledger.hostFaults += 3 + vcpu.id;
    });
    expect(clock.work().cycles).toBe(own);
    expect(clock.ledger()).toMatchObject({ accesses: 4, hostFaults: 0 });
  });
});

// Planted: a range cleared twice, or at every page; the last one cleared beyond the guest's end; ranges off by one.
test("the log is cleared by ranges of 1 GiB, each once, before the first of its pages is read", () => {
  const range = 2 ** 18;
  const frames = 2 * range + 10;
  const events: (HostEvent | number)[] = [];
  let reported: number[] = [];
  const sender = new Sender({
    host: {
      frames,
      engine: "test",
      cyclesPerMs: 1e6,
      act(event) {
        events.push(event);
        const pages = event.kind === "dirty-log-get" ? reported : [];
        return { reported: pages as Gfn[], cycles: 1000 };
      },
      takeAway: () => undefined,
      putInPlace: () => undefined,
    },
    source: {
      read(gfn: number) {
        events.push(gfn);
        return { version: 1, words: null };
      },
    } as unknown as SourceMemory,
    destination: { receive: () => undefined } as unknown as DestinationMemory,
    link: new Link(8e9),
    settings: defaultSettings,
  });
  const clear = (start: number, length: number) => {
    return { kind: "dirty-log-clear", start, frames: length };
  };
  reported = [3, range - 1, range + 4, 2 * range + 9];
  expect(sender.collect()).toBe(4);
  expect(sender.round).toMatchObject({ pagesDirtied: 4, pagesLeft: 4, trackerCycles: 1000 });
  events.length = 0;
  while (sender.sendNext());
  expect(events).toEqual([
    clear(0, range),
    3,
    range - 1,
    clear(range, range),
    range + 4,
    clear(2 * range, 10),
    2 * range + 9,
  ]);
  expect(sender.round).toMatchObject({ pagesSent: 4, pagesResent: 0, trackerCycles: 4000 });
  // Nothing was read since, so nothing is cleared; what the host reclaims is sent all the same.
  events.length = 0;
  sender.reclaimed((frames - 2) as Gfn, 5);
  expect(sender.left.size).toBe(2);
  while (sender.sendNext());
  // In a circle from where the last one was found.
  expect(events).toEqual([frames - 1, frames - 2]);
  expect(sender.round).toMatchObject({ pagesSent: 6, pagesResent: 1 });
  reported = [3, 3];
  expect(sender.collect()).toBe(1);
  sender.stopLog();
  events.length = 0;
  while (sender.sendNext());
  expect(events).toEqual([3]);
});

describe("a worker", () => {
  const params = { pages: 300, accesses: 2000, logRounds: 2 };
  const key = {
    id: 4,
    engine: "ept-pml",
    workload: "hot-write",
    params: fullParams(workloads["hot-write"], params),
    preset: "skylake-sp",
    backing: "4k",
    guestLevels: 4,
    nestedLevels: 4,
    seed: 1,
    migration: { ...defaultSettings, bandwidthWindowMs: 0, downtimeLimitMs: 0.2 },
  } as const;
  const task = { preset: presets["skylake-sp"], check: false };

  test("runs a point as it runs by itself, priced like the preset that it names", async () => {
    const outcome = await runTask({ ...task, key: { ...key, pricedLike: "skylake-sp" } });
    const alone = migrateSmall({ engine: "ept-pml", workload: "hot-write", params });
    expect(outcome).toEqual({ kind: "finished", finished: { ...alone, key } });
    const other = await runTask({ ...task, key: { ...key, pricedLike: "zen2" } });
    expect(other).not.toEqual(outcome);
    expect(other.kind).toBe("finished");
  });

  test("answers a point that cannot run with one line", async () => {
    const outcome = await runTask({ ...task, key: { ...key, engine: "nope", pricedLike: "zen2" } });
    expect(outcome.kind).toBe("failed");
    if (outcome.kind === "failed") expect(outcome.message).toMatch(/^[^\n]+$/);
  });
});
