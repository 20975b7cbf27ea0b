/**
 * For tests: random vmmu traces as values, every kind of op, addresses up to the edges of 48 and 57 bits.
 */
import fc from "fast-check";
import type { Gfn, PagingLevels, Vpn } from "../../machine/address.ts";
import type { Cr3 } from "../../machine/registers.ts";
import type { Fill, TraceHeader, TraceOp } from "./ops.ts";

const memoryFrames = 0x1000;
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const pcid = fc.integer({ min: 0, max: 0xfff });
const gfn = fc.integer({ min: 0, max: memoryFrames - 1 }).map((value) => value as Gfn);
const index = fc.integer({ min: 0, max: 511 });

const cr3: fc.Arbitrary<Cr3> = fc.record({ root: gfn, pcid, keep: fc.boolean() });

function vpnOf(levels: PagingLevels): fc.Arbitrary<Vpn> {
  const pages = 2 ** (levels === 5 ? 45 : 36);
  const edges = [0, 1, pages / 2 - 1, pages / 2, pages - 1, 0xf_ffff, 0x10_0000, 0x40_0000];
  return fc
    .oneof(fc.integer({ min: 0, max: pages - 1 }), fc.constantFrom(...edges))
    .map((value) => value as Vpn);
}

const fill: fc.Arbitrary<Fill> = fc.record({
  gfn: fc.integer({ min: 0, max: memoryFrames - 3 }).map((value) => value as Gfn),
  index,
  count: fc.integer({ min: 0, max: 1024 }),
  low: word,
  high: word,
  stepLow: word,
  stepHigh: word,
});

function headerOf(levels: PagingLevels): fc.Arbitrary<TraceHeader> {
  return fc.record({
    version: fc.constant(3 as const),
    memoryFrames: fc.constant(memoryFrames),
    vcpus: fc.constant(4),
    backing: fc.constantFrom("4k", "2m", "1g"),
    shadowPagesMax: fc.option(fc.integer({ min: 64, max: 2 ** 20 })),
    dirtyLogArmedBy: fc.constantFrom(null, "get", "clear", "clear-initially-set"),
    registers: fc.record({
      writeProtect: fc.boolean(),
      globalPages: fc.boolean(),
      pcid: fc.boolean(),
      levels: fc.constant(levels),
    }),
    fills: fc.array(fill, { maxLength: 3, size: "max" }),
    boot: cr3,
  });
}

function opOf(levels: PagingLevels): fc.Arbitrary<TraceOp> {
  const vpn = vpnOf(levels);
  const offset = fc.integer({ min: 0, max: 0xff8 });
  const range = fc.constantFrom<readonly [number, number]>([0, memoryFrames], [5, 1], [0xfff, 1]);
  return fc.oneof<fc.Arbitrary<TraceOp>[]>(
    fc.record({ op: fc.constantFrom("read", "write", "fetch"), vpn, offset }),
    fc.record({ op: fc.constant("store"), vpn, index, low: word, high: word }),
    fc.record({ op: fc.constantFrom("zero-page", "invlpg"), vpn }),
    fc.record({ op: fc.constant("copy-page"), to: vpn, from: vpn }),
    fc.record({
      op: fc.constant("invpcid"),
      type: fc.constantFrom("address", "context", "all-with-globals", "all"),
      pcid,
      vpn,
    }),
    fc.record({ op: fc.constant("write-cr3"), cr3 }),
    fc.record({ op: fc.constantFrom("read-cr3", "cpuid") }),
    fc.record({
      op: fc.constant("other-exit"),
      cause: fc.constantFrom("interrupt", "io", "msr", "halt"),
    }),
    fc.record({
      op: fc.constant("skipped"),
      accesses: fc.integer({ min: 0, max: 2 ** 48 }),
      instructions: fc.integer({ min: 0, max: 2 ** 48 }),
    }),
    range.map(([start, frames]): TraceOp => {
      return {
        op: "host",
        event: { kind: "dirty-log-off", only: { start: start as Gfn, frames } },
      };
    }),
    fc.record({ op: fc.constant("write-cr0"), writeProtect: fc.boolean() }),
    fc.record({ op: fc.constant("write-cr4"), globalPages: fc.boolean(), pcid: fc.boolean() }),
    fc.record({ op: fc.constant("privilege"), mode: fc.constantFrom("user", "supervisor") }),
    fc.record({ op: fc.constant("vcpu"), id: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ op: fc.constant("phase"), name: fc.stringMatching(/^[a-z0-9_=;-]{1,12}$/) }),
    fc
      .record({
        kind: fc.constantFrom(
          ...(["dirty-log-on", "dirty-log-clear", "reclaim", "evict", "snapshot"] as const),
          ...(["slot-delete", "slot-create"] as const),
        ),
        range,
      })
      .map(({ kind, range: [start, frames] }): TraceOp => {
        return { op: "host", event: { kind, start: start as Gfn, frames } };
      }),
    range
      .filter(([start, frames]) => start >= frames)
      .map(([start, frames]): TraceOp => {
        const event = { kind: "slot-move", start: start as Gfn, frames, to: 0 as Gfn } as const;
        return { op: "host", event };
      }),
    fc
      .constantFrom("dirty-log-get", "dirty-log-off", "snapshot-drop", "merge")
      .map((kind): TraceOp => ({ op: "host", event: { kind } })),
    fc
      .record({ kind: fc.constant("write"), gfn, index, low: word, high: word })
      .map((event): TraceOp => ({ op: "host", event })),
    fc
      .integer({ min: Math.min(64, memoryFrames), max: memoryFrames })
      .map((frames): TraceOp => ({ op: "host", event: { kind: "memory-limit", frames } })),
  );
}

/** A header and ops that fit it. */
export const anyTrace: fc.Arbitrary<{ header: TraceHeader; ops: TraceOp[] }> = fc
  .constantFrom<PagingLevels[]>(4, 5)
  .chain((levels) =>
    fc.record({
      header: headerOf(levels),
      ops: fc.array(opOf(levels), { maxLength: 60, size: "max" }),
    }),
  )
  .map(({ header, ops }) => {
    const isNew = ops.some(({ op }) => op === "skipped" || op === "other-exit");
    return {
      header: { ...header, version: isNew || header.dirtyLogArmedBy !== null ? 4 : 3 },
      ops,
    };
  });
