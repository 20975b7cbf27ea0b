/**
 * The small parts of a migration by themselves, each against numbers done by hand: the wire, the set of pages, the
 * throttle, the turns, the settings.
 */
import { describe, expect, test } from "vitest";
import type { Guest } from "../../guest/guest.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { costPresets } from "../../bench/costs/cost-file.ts";
import { clockOf } from "./clocks.ts";
import { isZeroPage } from "./guest-memory.ts";
import { Link, sentPageBytes, zeroMarkerBytes } from "./link.ts";
import { PageSet } from "./page-set.ts";
import { RoundLog } from "./rounds.ts";
import { Sender } from "./sender.ts";
import { fullSettings, settingsSchema } from "./settings-schema.ts";
import { defaultSettings } from "./settings.ts";
import { slicedGuest } from "./sliced-guest.ts";
import { Throttle } from "./throttle.ts";
import { bitsPerSecond, milliseconds } from "./units.ts";

describe("the link", () => {
  test("a page is its bytes and a header of 8, a marker 9", () => {
    expect([sentPageBytes, zeroMarkerBytes]).toEqual([4104, 9]);
  });

  // Planted: a wait that moves time back.
  test("bytes follow each other; a wait never shortens what is on its way", () => {
    const link = new Link(8e6);
    expect(link.bytesPerMs).toBe(1000);
    link.send(1000);
    link.send(500);
    expect([link.freeAtMs, link.bytes]).toEqual([1.5, 1500]);
    link.waitUntil(1);
    expect(link.freeAtMs).toBe(1.5);
    link.waitUntil(4);
    link.pause(0.25);
    expect([link.freeAtMs, link.bytes]).toEqual([4.25, 1500]);
  });
});

describe("the pages left", () => {
  test("are counted once each, whatever is added or deleted twice", () => {
    const set = new PageSet(8);
    for (const gfn of [3, 5, 3]) set.add(gfn);
    expect([set.size, set.has(3), set.has(4)]).toEqual([2, true, false]);
    for (const gfn of [3, 3, 4]) set.delete(gfn);
    expect([set.size, set.has(3)]).toEqual([1, false]);
    set.addAll();
    expect(set.size).toBe(8);
  });

  test("come in a circle from where the last one was found", () => {
    const set = new PageSet(8);
    expect(set.next()).toBe(-1);
    for (const gfn of [1, 4, 6]) set.add(gfn);
    const taken = [];
    while (set.size > 0) {
      const gfn = set.next();
      taken.push(gfn);
      set.delete(gfn);
      if (gfn === 4) set.add(2);
    }
    expect(taken).toEqual([1, 4, 6, 2]);
    for (const gfn of [0, 5]) set.add(gfn);
    // Nothing is taken out by looking.
    set.moveTo(1);
    expect([set.next(), set.next(), set.size]).toEqual([5, 5, 2]);
  });

  test("are told as runs of neighbours, the last one up to the end", () => {
    const set = new PageSet(8);
    for (const gfn of [0, 1, 4, 6, 7]) set.add(gfn);
    const runs: number[][] = [];
    set.forEachRun((start, frames) => runs.push([start, frames]));
    expect(runs).toEqual([
      [0, 2],
      [4, 1],
      [6, 2],
    ]);
    new PageSet(4).forEachRun(() => expect.unreachable());
  });
});

describe("the throttle", () => {
  const settings = { ...defaultSettings, autoConverge: 1, throttlePeriodMs: 10 } as const;

  // Planted: a step per bad period, a period that ends when it is exactly over, bytes counted from the start.
  test("takes a step after two periods in which more than half of what was sent became dirty", () => {
    const throttle = new Throttle(settings);
    throttle.start(100);
    throttle.synced(105, 300, 400);
    throttle.synced(110, 300, 800);
    expect(throttle.percent).toBe(0);
    // 300 + 300 + 0 of 1000 sent: bad, and the period ends here, not at 110.
    throttle.synced(111, 0, 1000);
    expect(throttle.percent).toBe(0);
    // 501 of the 1000 sent since then.
    throttle.synced(122, 501, 2000);
    expect(throttle.percent).toBe(20);
    // 500 are half and no more: not bad. The next two are.
    throttle.synced(133, 500, 3000);
    throttle.synced(144, 501, 4000);
    expect(throttle.percent).toBe(20);
    throttle.synced(155, 501, 5000);
    expect(throttle.percent).toBe(30);
  });

  test("rises by steps up to its most, and stretches time by what it takes", () => {
    const throttle = new Throttle({ ...settings, throttleIncrementPercent: 50 });
    const seen = [];
    for (let period = 1; period <= 8; period++) {
      throttle.synced(11 * period, 1000, 1000 * period);
      seen.push(throttle.percent);
    }
    expect(seen).toEqual([0, 20, 20, 70, 70, 99, 99, 99]);
    expect(throttle.stretch(2)).toBe(200);
    expect(new Throttle(settings).stretch(2)).toBe(2);
  });

  test("does nothing where it is switched off", () => {
    const throttle = new Throttle({ ...settings, autoConverge: 0 });
    for (let period = 1; period <= 8; period++) throttle.synced(11 * period, 1e9, period);
    expect(throttle.percent).toBe(0);
  });
});

test("a round begins empty, with its number, its time and the throttle's", () => {
  const log = new RoundLog();
  log.open("precopy", 1, 0);
  expect(log.open("stop-and-copy", 2.5, 30)).toEqual({
    round: 2,
    phase: "stop-and-copy",
    startMs: 2.5,
    endMs: 2.5,
    pagesSent: 0,
    pagesResent: 0,
    zeroPages: 0,
    bytes: 0,
    pagesDirtied: 0,
    pagesLeft: 0,
    allowedBytes: 0,
    trackerCycles: 0,
    throttlePercent: 30,
  });
  expect(log.rounds).toHaveLength(2);
});

// Planted: pages that were to be sent already counted as new.
test("a reading of the log says how many pages are to be sent that were not before, and takes its time", () => {
  const link = new Link(8e9);
  const events: string[] = [];
  const sender = new Sender({
    host: {
      frames: 8,
      engine: "test",
      cyclesPerMs: 100,
      act(event) {
        events.push(event.kind);
        return { reported: [1, 2, 5] as Gfn[], cycles: 50 };
      },
      takeAway: () => undefined,
      putInPlace: () => undefined,
    },
    source: null as never,
    destination: null as never,
    link,
    settings: defaultSettings,
  });
  for (const gfn of [2, 3, 4]) sender.left.add(gfn);
  expect(sender.collect()).toBe(2);
  expect(sender.round).toMatchObject({ pagesDirtied: 3, pagesLeft: 5, trackerCycles: 50 });
  expect([link.freeAtMs, sender.collect(), link.freeAtMs]).toEqual([0.5, 0, 1]);
  sender.reclaimed(6 as Gfn, 100);
  expect([sender.left.size, sender.left.has(7)]).toEqual([7, true]);
  sender.stopLog();
  expect(events).toEqual(["dirty-log-get", "dirty-log-get", "dirty-log-off"]);
});

describe("turns", () => {
  const calls: string[] = [];
  const note =
    (name: string) =>
    (..._args: unknown[]) => {
      calls.push(name);
      return 7;
    };
  const names = (
    "map mapAt unmap protect read write fetch compute " +
    "fork exec exit switchTo syscall host measure"
  ).split(" ");
  const program = Object.fromEntries(names.map((name) => [name, note(name)])) as unknown as Guest;

  function sliced() {
    const events: (string | readonly number[])[] = [];
    const guest = slicedGuest(program, {
      measured: () => events.push("measured"),
      turn: () => events.push("turn"),
      reclaimed: (start, frames) => events.push([start, frames]),
    });
    const turns = () => events.filter((event) => event === "turn").length;
    return { guest, events, turns };
  }
  const page = 0 as Vpn;
  const demand = { fill: "demand", pages: "4k", writable: true } as const;

  // Planted: accesses that weigh nothing, a turn one access later, weights that are not set back.
  test("come every 512 accesses", () => {
    for (const kind of ["read", "write", "fetch"] as const) {
      const { guest, turns } = sliced();
      for (let i = 0; i < 511; i++) guest[kind](page);
      expect(turns(), kind).toBe(0);
      guest[kind](page);
      expect(turns(), kind).toBe(1);
      for (let i = 0; i < 1024; i++) guest[kind](page);
      expect(turns(), kind).toBe(3);
    }
  });

  test("come every 16 system calls, at every process made or ended, and per page populated", () => {
    const short: readonly ((guest: Guest) => unknown)[] = [
      (guest) => guest.map(4, demand),
      (guest) => guest.mapAt(page, 4, demand),
      (guest) => guest.unmap(page, 4),
      (guest) => guest.protect(page, 4, "read"),
      (guest) => guest.switchTo(1 as never),
      (guest) => guest.syscall(),
      (guest) => guest.map(32, { ...demand, fill: "populate" }),
    ];
    for (const [i, call] of short.entries()) {
      const { guest, turns } = sliced();
      for (let n = 0; n < 15; n++) call(guest);
      expect(turns(), `call ${i}`).toBe(0);
      call(guest);
      expect(turns(), `call ${i}`).toBe(1);
    }
    const { guest, turns } = sliced();
    guest.fork();
    guest.exec(8);
    guest.exit(1 as never);
    expect(turns()).toBe(3);
    guest.compute(1e6);
    expect(turns()).toBe(3);
  });

  test("leave the program what its calls return, and the host its own events only", () => {
    const { guest, events } = sliced();
    expect([guest.map(1, demand), guest.fork()]).toEqual([7, 7]);
    calls.length = 0;
    for (const kind of ["dirty-log-get", "dirty-log-off", "snapshot-drop", "merge"] as const) {
      expect(guest.host({ kind })).toBe(0);
    }
    expect(calls).toEqual([]);
    const range = { start: 5 as Gfn, frames: 3 };
    expect(guest.host({ kind: "evict", ...range })).toBe(7);
    expect(guest.host({ kind: "memory-limit", frames: 3 })).toBe(7);
    expect(events).toEqual(["turn"]);
    expect(guest.host({ kind: "reclaim", ...range })).toBe(7);
    guest.measure();
    expect(events).toEqual(["turn", [5, 3], "measured"]);
    expect(calls).toEqual(["host", "host", "host", "measure"]);
  });
});

test("settings that are given go before QEMU's, each into its own field", () => {
  expect(fullSettings({})).toEqual(defaultSettings);
  const given = settingsSchema.parse({
    mode: "postcopy",
    bandwidth: "1Gbit",
    downtime: "1ms",
    bandwidthWindow: "2ms",
    autoConverge: true,
    throttleInitial: 3,
    throttleIncrement: 4,
    throttleMax: 5,
    throttleTrigger: 6,
    throttlePeriod: "7ms",
    zeroPages: false,
    postcopyAfter: 8,
    roundTrip: "50us",
    start: 10,
  });
  expect(fullSettings(given)).toEqual({
    mode: "postcopy",
    bandwidthBitsPerSecond: 1e9,
    downtimeLimitMs: 1,
    bandwidthWindowMs: 2,
    autoConverge: 1,
    throttleInitialPercent: 3,
    throttleIncrementPercent: 4,
    throttleMaxPercent: 5,
    throttleTriggerPercent: 6,
    throttlePeriodMs: 7,
    zeroPages: 0,
    postcopyAfterRounds: 8,
    roundTripMs: 0.05,
    startPercent: 10,
  });
  expect(fullSettings({ autoConverge: false, zeroPages: true })).toEqual(defaultSettings);
});

test.each([
  { bandwidth: "0kbit" },
  { throttleMax: 100 },
  { throttleInitial: 99.5 },
  { throttleIncrement: -1 },
  { throttleTrigger: 101 },
  { start: 101 },
  { start: -1 },
  { postcopyAfter: 1001 },
  { postcopyAfter: -1 },
  { postcopyAfter: 1.5 },
  { roundTrip: "9" },
  { bogus: 1 },
])("a setting that cannot be is refused: %o", (setting) => {
  expect(settingsSchema.safeParse(setting).success).toBe(false);
});

test("bandwidths and times are read with their units", () => {
  const bandwidths = ["64kbit", "800Mbit", "2.5 Gbit", " 10GBIT "].map(bitsPerSecond);
  expect(bandwidths).toEqual([64e3, 800e6, 2.5e9, 10e9]);
  expect(["50us", "300ms", "1.5s"].map(milliseconds)).toEqual([0.05, 300, 1500]);
  for (const text of ["10", "Gbit", "x10Gbit", "10Gbitx", "1.Gbit", "10ms", "-1Gbit", ""]) {
    expect(() => bitsPerSecond(text), text).toThrow(
      `${JSON.stringify(text)}: must be a number and a unit, such as 10Gbit`,
    );
  }
  expect(() => milliseconds("10Gbit")).toThrow("such as 300ms");
});

test("every cost file has a clock", () => {
  const gigahertz = Object.fromEntries(costPresets.map((name) => [name, clockOf(name)]));
  expect(gigahertz).toEqual({
    "p4-vtx": 3.8,
    core2: 2.66,
    nehalem: 2.93,
    "skylake-sp": 2.1,
    "cascade-lake": 2.5,
    zen2: 2.25,
  });
});

test("a page of zeros has version 0 and no other bytes", () => {
  const words = new Int32Array(1024);
  expect(isZeroPage({ version: 0, words: null })).toBe(true);
  expect(isZeroPage({ version: 0, words })).toBe(true);
  expect(isZeroPage({ version: 1, words: null })).toBe(false);
  words[1023] = 1;
  expect(isZeroPage({ version: 0, words })).toBe(false);
});
