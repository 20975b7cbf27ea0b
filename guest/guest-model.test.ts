import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import type { Pid } from "./guest.ts";
import type { KernelOptions } from "./options.ts";
import { testGuest, type TestGuest } from "./test-guest.ts";

/** The arena straddles a 1 GiB border, so ranges cross tables of three levels. */
const arena = 5 * 512 ** 2 - 512;
const arenaPages = 1088;
/** Ends of ranges: odd ones, borders of 2 MiB, ranges below and above the flush ceiling. */
const marks = [0, 3, 9, 40, 500, 512, 513, 700, 1020, 1023, 1024, 1025, 1060, 1088];
/** Two entries of each page hold known values: a copy must bring the one that is not stored to. */
const words = [7, 300];
const accesses = ["none", "read", "read-write"] as const;

type Access = (typeof accesses)[number] | "unmapped";

/** What a process must see: rights and contents, page by page. */
class ModelProcess {
  readonly access: Access[] = Array.from({ length: arenaPages }, () => "unmapped");
  readonly signals: boolean[] = Array.from({ length: arenaPages }, () => false);
  readonly values = new Int32Array(arenaPages * words.length);

  fork(): ModelProcess {
    const child = new ModelProcess();
    child.access.splice(0, arenaPages, ...this.access);
    child.signals.splice(0, arenaPages, ...this.signals);
    child.values.set(this.values);
    return child;
  }
}

class Pair {
  readonly machine: TestGuest;
  readonly processes = new Map<Pid, ModelProcess>();
  current = 1 as Pid;

  constructor(machine: TestGuest) {
    this.machine = machine;
    this.processes.set(this.current, new ModelProcess());
  }

  /** An arena of 2 MiB pages to start with, on which no store is forbidden for good. */
  mapArena(): void {
    const options = {
      fill: "demand",
      pages: "2m",
      writable: true,
      onForbidden: "unprotect",
    } as const;
    this.machine.guest.mapAt(arena as Vpn, arenaPages, options);
    this.model.access.fill("read-write");
    this.model.signals.fill(true);
  }

  get model(): ModelProcess {
    return this.processes.get(this.current)!;
  }

  /** Another living process, or the current one when it is alone. */
  pick(choice: number): Pid {
    const pids = [...this.processes.keys()];
    return pids[choice % pids.length]!;
  }

  store(page: number, word: number, value: number): void {
    const { model } = this;
    const access = model.access[page]!;
    if (access === "unmapped") return;
    if (access !== "read-write" && !model.signals[page]) return;
    this.machine.vcpu.store((arena + page) as Vpn, words[word]!, value, 0);
    model.access[page] = "read-write";
    model.values[page * words.length + word] = value;
  }

  load(page: number): void {
    const { model } = this;
    const access = model.access[page]!;
    if (access === "unmapped" || (access === "none" && !model.signals[page])) return;
    if (access === "none") model.access[page] = "read-write";
    words.forEach((index, word) => {
      const value = this.machine.vcpu.load((arena + page) as Vpn, index);
      const expected = model.values[page * words.length + word];
      // Not `expect`, which would take most of the test's time.
      assert(value === expected, `process ${this.current}, page ${page}: read ${value}`);
    });
  }
}

type Operation = (pair: Pair) => void;

const all = fc.constant({ from: 0, to: arenaPages });
const part = fc
  .tuple(fc.nat(marks.length - 1), fc.nat(marks.length - 1))
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ from: marks[Math.min(a, b)]!, to: marks[Math.max(a, b)]! }));
const range = fc.oneof({ weight: 1, arbitrary: all }, { weight: 2, arbitrary: part });
/** Few pages, at borders and amid ranges, so that operations collide. */
const page = fc.constantFrom(0, 3, 41, 511, 512, 1022, 1024, 1061);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        range,
        fill: fc.constantFrom("populate", "demand"),
        pages: fc.constantFrom("4k", "2m"),
        writable: fc.boolean(),
        file: fc.constantFrom(null, null, 1, 2),
        signals: fc.boolean(),
      })
      .map(
        ({ range: { from, to }, file, signals, ...options }): Operation =>
          ({ machine, model }) => {
            machine.guest.mapAt((arena + from) as Vpn, to - from, {
              ...options,
              ...(file === null ? {} : { file }),
              ...(signals ? { onForbidden: "unprotect" } : {}),
            });
            model.access.fill(options.writable ? "read-write" : "read", from, to);
            model.signals.fill(signals, from, to);
            model.values.fill(0, from * words.length, to * words.length);
          },
      ),
  },
  {
    weight: 1,
    arbitrary: range.map(({ from, to }): Operation => ({ machine, model }) => {
      machine.guest.unmap((arena + from) as Vpn, to - from);
      model.access.fill("unmapped", from, to);
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(range, fc.constantFrom(...accesses))
      .map(([{ from, to }, access]): Operation => ({ machine, model }) => {
        machine.guest.protect((arena + from) as Vpn, to - from, access);
        for (let i = from; i < to; i++) {
          if (model.access[i] !== "unmapped") model.access[i] = access;
        }
      }),
  },
  {
    weight: 9,
    arbitrary: fc.tuple(page, fc.nat(words.length - 1), fc.integer({ min: 1, max: 1_000_000 })).map(
      ([at, word, value]): Operation =>
        (pair) =>
          pair.store(at, word, value),
    ),
  },
  {
    weight: 9,
    arbitrary: page.map(
      (at): Operation =>
        (pair) =>
          pair.load(at),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constant<Operation>((pair) => {
      // More than six processes, so that PCIDs are taken from one and given to another.
      if (pair.processes.size < 8) pair.processes.set(pair.machine.guest.fork(), pair.model.fork());
    }),
  },
  {
    weight: 4,
    arbitrary: fc.nat(100).map((choice): Operation => (pair) => {
      const next = pair.pick(choice);
      pair.machine.guest.switchTo(next);
      pair.current = next;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.nat(100).map((choice): Operation => (pair) => {
      const next = pair.pick(choice);
      if (next === pair.current) return;
      pair.machine.guest.exit(next);
      pair.processes.delete(pair.current);
      pair.current = next;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 9 }).map((pages): Operation => (pair) => {
      pair.machine.guest.exec(pages);
      pair.processes.set(pair.current, new ModelProcess());
    }),
  },
  { weight: 1, arbitrary: fc.constant<Operation>(({ machine }) => machine.guest.syscall()) },
);

/** KPTI with PCID has most to go wrong, so it comes up more often. */
const mostly = fc.constantFrom(true, true, false);

const kernelOptions: fc.Arbitrary<Partial<KernelOptions>> = fc.record({
  kpti: mostly,
  pcid: mostly,
  globalPages: fc.boolean(),
  levels: fc.constantFrom(4, 5),
  thp: mostly,
  directMap: fc.constantFrom("4k", "2m", "1g"),
  sharedZeroPage: fc.boolean(),
});

const guestFrames = 16_384;

describe("the guest operating system, against a model", () => {
  // Each of these mutations was planted and caught:
  // - Gather.flush skipping pages, or the full flush; no flush at fork;
  // - flushPage without INVPCID under KPTI; flushAll not noting the user PCID;
  // - chooseAsid keeping the translations of a PCID that it gives to another space;
  // - copyOnWrite or reuseHugePage taking a shared frame over, copyOnWrite copying nothing;
  // - copySpace leaving W in the child, or in the parent; file pages copied the wrong way;
  // - fork forgetting private pages of files; freeTables ignoring regions that still need the table;
  // - fillAnonymous without zeroing.
  test("shows every process its own contents and never uses a stale translation", () => {
    fc.assert(
      fc.property(
        kernelOptions,
        fc.array(operation, { size: "max", maxLength: 160 }),
        (options, operations) => {
          const pair = new Pair(testGuest(options, guestFrames));
          pair.mapArena();
          for (const operate of operations) operate(pair);
          for (const pid of pair.processes.keys()) {
            pair.machine.guest.switchTo(pid);
            pair.current = pid;
            for (const at of marks) if (at < arenaPages) pair.load(at);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  // Planted and caught: clearEntries releasing one frame of a 2 MiB page; destroySpace keeping the user
  // root; prune keeping tables above level 1.
  test("has every frame back when the children are gone", () => {
    fc.assert(
      fc.property(
        kernelOptions,
        fc.array(operation, { size: "max", maxLength: 60 }),
        (options, operations) => {
          const machine = testGuest(options, guestFrames);
          const { guest } = machine;
          // The page cache keeps its frames, so it is filled before the count.
          for (const file of [1, 2]) {
            const at = guest.map(arenaPages, {
              fill: "populate",
              pages: "4k",
              writable: false,
              file,
            });
            guest.unmap(at, arenaPages);
          }
          for (let pages = 1; pages <= 9; pages++) touchImage(machine, pages);
          guest.exec(1);
          touchImage(machine, 1);
          const free = guest.freeFrames;
          const pair = new Pair(machine);
          const first = guest.fork();
          guest.switchTo(first);
          pair.processes.set(first, pair.model.fork());
          pair.processes.delete(pair.current);
          pair.current = first;
          pair.mapArena();
          for (const operate of operations) operate(pair);
          for (const pid of pair.processes.keys()) {
            guest.switchTo(pid);
            guest.exit(1 as Pid);
          }
          guest.exec(1);
          touchImage(machine, 1);
          expect(guest.freeFrames).toBe(free);
        },
      ),
      { numRuns: 20 },
    );
  });
});

/** Brings all pages of a program into the page cache. */
function touchImage({ guest, vcpu }: TestGuest, pages: number): void {
  guest.exec(pages);
  for (let i = 0; i < pages; i++) guest.read((guest.image + i) as Vpn);
  vcpu.drain();
}
