/**
 * Migrations of a small guest whose numbers must follow from each other: bytes from pages, times from bytes and
 * the host's own work, slowdowns from cycles and waits.
 */
import { expect, test } from "vitest";
import { assert } from "../../machine/assert.ts";
import { exitCounters, type MigrationResult } from "../../bench/results/result.ts";
import { migrateSmall, type TestMigration } from "./test-migration.ts";

const pageBytes = 4104;
const markerBytes = 9;
/** 40 Gbit/s. */
const bytesPerMs = 5e6;

const writer = {
  engine: "ept-wp",
  workload: "hot-write",
  params: { pages: 512, hotPercent: 10, accesses: 20_000, logRounds: 4 },
  settings: { bandwidthBitsPerSecond: 40e9 },
} as const satisfies TestMigration;
const slow = { autoConverge: 1, throttlePeriodMs: 0.1, downtimeLimitMs: 0.02 } as const;

const migrations = {
  precopy: writer,
  throttled: { ...writer, settings: { ...writer.settings, ...slow } },
  postcopy: { ...writer, settings: { ...writer.settings, mode: "postcopy" } },
} as const;

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

/** When the first page went. */
function startOf({ rounds }: Pick<MigrationResult, "rounds">): number {
  return rounds[0]?.startMs ?? Number.NaN;
}

/** Time of the host's own work in a round, and of its bytes on the wire. */
function busyMs({ gigahertz }: MigrationResult, round: MigrationResult["rounds"][number]): number {
  return round.bytes / bytesPerMs + round.trackerCycles / (gigahertz * 1e6);
}

type Check = (name: string, result: MigrationResult) => void;

/** Each round's bytes are its pages, its markers and nothing else. */
const checkBytes: Check = (name, { outcome, rounds }) => {
  for (const { phase, bytes, pagesSent, zeroPages } of rounds) {
    // Post-copy's stop sends the runs that the destination must forget instead.
    if (phase === "stop-and-copy" && name === "postcopy") expect(bytes % 16).toBe(0);
    else expect(bytes).toBe((pagesSent - zeroPages) * pageBytes + zeroPages * markerBytes);
  }
  for (const total of [
    "pagesSent",
    "pagesResent",
    "zeroPages",
    "bytes",
    "trackerCycles",
  ] as const) {
    expect(outcome[total], total).toBe(sum(rounds.map((round) => round[total])));
  }
  expect(outcome.pagesDirtied).toBe(sum(rounds.map((round) => round.pagesDirtied)));
  expect(outcome.zeroPages).toBeGreaterThan(0);
  expect(outcome.pagesResent).toBe(outcome.pagesSent - outcome.framesChecked);
};

/** Rounds are numbered, and each lasts as long as its bytes and the work in the log; so does the stop. */
const checkTimes: Check = (_name, result) => {
  const { outcome, rounds } = result;
  expect(rounds.map(({ round }) => round)).toEqual(rounds.map((_, i) => i + 1));
  for (const round of rounds) {
    if (round.phase === "postcopy") continue;
    expect(round.endMs - round.startMs).toBeGreaterThanOrEqual(busyMs(result, round) - 1e-9);
  }
  const precopy = rounds.filter(({ phase, pagesSent }) => phase === "precopy" && pagesSent > 0);
  expect(outcome.rounds).toBe(precopy.length);
  const lastMs = Math.max(...rounds.map(({ endMs }) => endMs));
  expect(outcome.totalMs).toBe(lastMs - startOf(result));
  // It starts at the first turn of the measured program, whatever the set-up took.
  expect(startOf(result)).toBeLessThan(0.05);
  const stop = rounds.find(({ phase }) => phase === "stop-and-copy");
  assert(stop !== undefined, "test: the guest never stopped");
  expect(outcome.downtimeMs).toBeCloseTo(busyMs(result, stop), 9);
};

/** A slowdown is the guest's cycles and waits over its cycles alone, without the stop. */
const checkSlowdowns: Check = (name, { outcome, gigahertz }) => {
  const cyclesPerMs = gigahertz * 1e6;
  expect(outcome.trackerSlowdown).toBeCloseTo(outcome.guestCycles / outcome.unmigratedCycles, 9);
  const runningMs = (outcome.guestSlowdown * outcome.unmigratedCycles) / cyclesPerMs;
  const perSecond = (outcome.pagesDirtied * 1000) / runningMs;
  expect(outcome.dirtyPagesPerSecond / perSecond).toBeCloseTo(1, 9);
  if (name !== "throttled") {
    expect(runningMs).toBeCloseTo(outcome.guestCycles / cyclesPerMs + outcome.pullWaitMs, 9);
  } else {
    expect(runningMs).toBeGreaterThan((outcome.guestCycles / cyclesPerMs) * 1.02);
  }
  expect(outcome.nativeSlowdown).toBeGreaterThanOrEqual(outcome.guestSlowdown);
};

/** The exits are those of the time between start and end: one per page written in a round. */
const checkExits: Check = (name, { outcome, exits }) => {
  const counted = sum(exitCounters.map((counter) => exits[counter]));
  expect(counted).toBe(exits.exitsEptViolation + exits.exitsCpuid);
  const waited = name === "postcopy" ? outcome.pagesPulled : 0;
  expect(exits.exitsEptViolation).toBeGreaterThanOrEqual(outcome.pagesDirtied);
  expect(exits.exitsEptViolation).toBeLessThanOrEqual(outcome.pagesDirtied + waited + 600);
};

// Planted: a moved guest's slowdown with its down time in it; rounds that count the stop; a stop that lasts longer.
test.each(Object.entries(migrations))("the numbers of %s follow from each other", (name, run) => {
  const result = migrateSmall(run);
  for (const check of [checkBytes, checkTimes, checkSlowdowns, checkExits]) check(name, result);
});

test("the rule allows what the link sends within the limit, once its speed is known", () => {
  const { rounds } = migrateSmall(writer);
  const limits = rounds.map(({ allowedBytes }) => allowedBytes);
  expect(limits.filter((bytes) => bytes !== 0 && bytes !== 0.2 * bytesPerMs)).toEqual([]);
  const late = { ...writer.settings, bandwidthWindowMs: 0.5 };
  const measured = migrateSmall({ ...writer, settings: late }).rounds;
  for (const { phase, startMs, endMs, allowedBytes } of measured) {
    if (phase !== "precopy" || allowedBytes === 0) continue;
    expect(endMs - startOf({ rounds: measured })).toBeGreaterThanOrEqual(0.5);
    expect(endMs).toBeGreaterThan(startMs);
  }
});

// Planted: pages that were still to send count as dirtied anew.
test("a guest that writes nothing is not slowed down, however long its pages take", () => {
  const { rounds, outcome } = migrateSmall({
    engine: "ept-wp",
    workload: "uniform",
    params: { pages: 256, accesses: 60_000, writePercent: 0 },
    settings: { ...slow, bandwidthBitsPerSecond: 20e9 },
  });
  expect(rounds.length).toBeGreaterThan(1);
  expect(rounds.map(({ throttlePercent }) => throttlePercent)).toEqual(rounds.map(() => 0));
  expect(outcome.throttlePercent).toBe(0);
});

test("post-copy after two passes has read the log twice before it moves", () => {
  for (const passes of [1, 2]) {
    const settings = { ...writer.settings, mode: "postcopy", postcopyAfterRounds: passes } as const;
    const { outcome, rounds } = migrateSmall({ ...writer, settings });
    expect(outcome.verdict).toBe("moved");
    expect(rounds.filter(({ phase }) => phase === "precopy").length).toBe(passes);
  }
});
