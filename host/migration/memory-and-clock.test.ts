/** Both ends of a migration's memory, and the timeline that slowdowns are relative to, by themselves. */
import { describe, expect, test } from "vitest";
import type { Pfn } from "../../machine/address.ts";
import { PhysicalMemory, vacated } from "../../machine/memory.ts";
import type { HostFrames } from "../../check/oracle/host-frames.ts";
import type { GuestClock } from "./guest-clock.ts";
import { DestinationMemory, SourceMemory } from "./guest-memory.ts";
import { migrateSmall } from "./test-migration.ts";
import { TimelineRecorder } from "./timeline.ts";

/** A guest of eight frames at their own numbers, the last of them never backed. */
function sourceOf() {
  const memory = new PhysicalMemory({ guestFrames: 8, tableFrames: 1, slotsMax: 9 });
  const pfnOf = [0, 1, 2, 3, 4, 5, 6, -1];
  const latest = (gfn: number) => memory.stamps[gfn] ?? 0;
  const touched: number[] = [];
  const isAway = (gfn: number) => memory.stamps[gfn] === vacated;
  const frames = { pfnOf, latest, isAway } as unknown as HostFrames;
  const source = new SourceMemory(memory, frames, (gfn) => {
    touched.push(gfn);
    memory.stamps[gfn] = 77;
  });
  return { memory, source, touched };
}

describe("the source", () => {
  test("reads a frame's version and bytes, and nothing of one that was never there", () => {
    const { memory, source, touched } = sourceOf();
    memory.stamps[2] = 5;
    memory.write(3 as Pfn, 511, 9, 8);
    expect(source.read(2)).toEqual({ version: 5, words: null });
    expect(source.read(3).words?.slice(1022)).toEqual(new Int32Array([9, 8]));
    expect(source.read(7)).toEqual({ version: 0, words: null });
    expect(touched).toEqual([]);
  });

  test("brings a page back that was swapped out before it reads it", () => {
    const { memory, source, touched } = sourceOf();
    memory.vacate(4 as Pfn);
    expect(source.read(4).version).toBe(77);
    expect(touched).toEqual([4]);
  });
});

describe("the destination", () => {
  function both() {
    const { memory, source } = sourceOf();
    const destination = new DestinationMemory(8);
    memory.write(1 as Pfn, 4, 6, 0);
    memory.stamps[2] = 3;
    for (let gfn = 0; gfn < 8; gfn++) destination.receive(gfn, source.read(gfn));
    const check = (expected: (gfn: number) => boolean = () => false) => {
      destination.check(source, "ept", expected);
    };
    return { memory, source, destination, check };
  }

  test("is right when it has every frame as it is", () => {
    const { check, destination } = both();
    expect(check).not.toThrow();
    destination.discard(5);
    expect(destination.has(5)).toBe(false);
    expect(() => check((gfn) => gfn === 5)).not.toThrow();
  });

  // Planted: words that are not compared, the last word left out, a page that is too much.
  test("is wrong by a version, an entry, a page missing, or one too many: named with its frame", () => {
    const cases: readonly (readonly [change: (all: ReturnType<typeof both>) => void, RegExp])[] = [
      [({ memory }) => (memory.stamps[2] = 4), /gfn 0x2 has version 4 at the source, version 3 at/],
      [
        ({ memory }) => memory.write(1 as Pfn, 4, 7, 0),
        /gfn 0x1 differs at the destination in entry 4/,
      ],
      [({ memory }) => memory.write(6 as Pfn, 511, 0, 1), /gfn 0x6 differs .* entry 511/],
      [({ memory }) => memory.zero(1 as Pfn), /gfn 0x1 differs .* entry 4/],
      [
        ({ destination }) => destination.discard(5),
        /gfn 0x5 has version 0 at the source, nothing at/,
      ],
    ];
    for (const [change, message] of cases) {
      const all = both();
      change(all);
      expect(all.check, String(message)).toThrow(message);
    }
    const { check } = both();
    expect(() => check((gfn) => gfn === 3)).toThrow(/gfn 0x3 is to be sent, but .* version 0/);
  });

  test("keeps what it received, whatever the source does later", () => {
    const { memory, source, destination } = both();
    const left = { version: 0, words: Int32Array.from(source.read(1).words ?? []) };
    memory.write(1 as Pfn, 4, 100, 0);
    const judge = { source, engine: "ept" };
    expect(() => destination.checkArrival(1, left, judge)).not.toThrow();
    const other = { ...left, words: Int32Array.from(left.words) };
    other.words[1023] = 1;
    expect(() => destination.checkArrival(1, other, judge)).toThrow(
      /arrived with another entry 511/,
    );
    expect(() => destination.checkArrival(2, { version: 9, words: null }, judge)).toThrow(
      /left with version 9, arrived with 3/,
    );
    memory.stamps[2] = 4;
    expect(() => destination.checkArrival(2, { version: 3, words: null }, judge)).toThrow(
      /got version 4 before it arrived, with version 3/,
    );
  });
});

// Planted: turns of the set-up that count, computation since the boot, an end that is not written down.
test("a timeline begins with the measured program and ends with its last turn", () => {
  let now = { cycles: 0, accesses: 0 };
  let computeOps = 40;
  const clock = {
    start: () => undefined,
    work: () => now,
    ledger: () => ({ computeOps }),
  } as unknown as GuestClock;
  const recorder = new TimelineRecorder(clock);
  recorder.turn();
  recorder.turn();
  recorder.measured();
  for (const cycles of [100, 250]) {
    now = { cycles, accesses: cycles / 10 };
    recorder.turn();
  }
  computeOps = 100;
  now = { cycles: 300, accesses: 30 };
  const timeline = recorder.finish();
  expect([timeline.turns, timeline.accesses, timeline.computeOps]).toEqual([3, 30, 60]);
  expect([0, 1, 2, 3].map((turn) => timeline.cyclesAt(turn))).toEqual([100, 250, 300, 0]);
  expect([0, 1, 2].map((turn) => timeline.accessesAt(turn))).toEqual([10, 25, 30]);
});

test("a migration that starts at half of a program that computes is set against the other half", () => {
  const run = (startPercent: number) =>
    migrateSmall({
      engine: "ept-wp",
      workload: "key-value",
      params: { pages: 256, requests: 1500, writePercent: 30 },
      settings: { bandwidthBitsPerSecond: 1e9, startPercent },
    }).outcome;
  const [whole, half] = [run(0), run(50)];
  // The link is slow, so both end with the program.
  expect([whole.verdict, half.verdict]).toEqual(["forced", "forced"]);
  for (const name of ["guestCycles", "unmigratedCycles"] as const) {
    expect(half[name] / whole[name], name).toBeGreaterThan(0.4);
    expect(half[name] / whole[name], name).toBeLessThan(0.6);
  }
});
