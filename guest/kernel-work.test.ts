/** What the guest kernel does around faults, counted by hand: ways in and out, flushes of whole spaces, ballooning. */
import { describe, expect, test } from "vitest";
import type { Gfn, Vpn } from "../machine/address.ts";
import { subtract } from "../machine/counters.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import { Balloon } from "./balloon.ts";
import { footprintFrames } from "./footprint.ts";
import { FrameAllocator } from "./frames.ts";
import { Prng } from "./prng.ts";
import { mappingOf, testGuest } from "./test-guest.ts";

const populated = { fill: "populate", pages: "4k", writable: true } as const;

function booted(...options: Parameters<typeof testGuest>) {
  const all = testGuest(...options);
  const cost = (body: () => void) => {
    all.vcpu.drain();
    const before = all.vcpu.snapshot().ledger;
    body();
    return subtract(all.vcpu.snapshot().ledger, before);
  };
  return { ...all, cost };
}

describe("ways into the kernel and out", () => {
  // Planted: a stack that is not read on the way out, an entry area touched once less.
  test("of a system call are six fetches, three stores and two loads", () => {
    const { guest, cost } = booted();
    guest.syscall();
    expect(cost(() => guest.syscall())).toMatchObject({ accesses: 11, fetches: 6, stores: 3 });
  });

  test("of a page fault read the gate as well, and the access is made again", () => {
    const { guest, cost } = booted();
    const base = guest.map(4, { ...populated, fill: "demand" });
    guest.write(base);
    const fault = cost(() => guest.write((base + 1) as Vpn));
    // 12 beside the handler's own: one load and one store of entries for each level it goes through, one page of zeros.
    const own = fault.pteLoads + fault.pteStores + fault.pagesZeroed;
    expect(fault).toMatchObject({ faultHandlerRuns: 1, guestPageFaults: 1, fetches: 6 });
    expect(fault.accesses - own - 1).toBe(12);
  });

  test("a switch fetches the scheduler and reads the other stack", () => {
    const { guest, cost } = booted({ pcid: false });
    const child = guest.fork();
    guest.switchTo(child);
    const back = cost(() => guest.switchTo(1 as typeof child));
    expect(back).toMatchObject({ contextSwitches: 1, cr3Writes: 1, syscalls: 1, fetches: 8 });
    const none = cost(() => guest.switchTo(1 as typeof child));
    expect(none).toMatchObject({ contextSwitches: 0, cr3Writes: 0, syscalls: 1 });
  });
});

describe("whole spaces", () => {
  // Planted: a space that is taken for loaded, or is not.
  test("are flushed when they go while loaded, and need no flush when they are not", () => {
    const { guest, cost } = booted({ pcid: false });
    guest.map(4, populated);
    // A fresh space is loaded; the old one never runs again.
    expect(cost(() => guest.exec(8))).toMatchObject({ execs: 1, cr3Writes: 1 });
    const child = guest.fork();
    guest.switchTo(child);
    // The dying space is flushed, and then the next one is loaded.
    const exit = cost(() => guest.exit(1 as typeof child));
    expect(exit).toMatchObject({ processExits: 1, cr3Writes: 2, contextSwitches: 1 });
    expect(cost(() => guest.fork())).toMatchObject({ forks: 1, cr3Writes: 1 });
  });

  test("give all their frames back", () => {
    const { guest } = booted();
    const life = () => {
      const child = guest.fork();
      guest.switchTo(child);
      guest.map(600, populated);
      guest.exit(1 as typeof child);
      return guest.freeFrames;
    };
    // The first life brings the program's code into the page cache and the parent's tables, where it stays.
    const once = life();
    expect([life(), life()]).toEqual([once, once]);
  });
});

describe("regions", () => {
  test("of a file are filled by small pages whatever they ask for", () => {
    const { guest, vcpu, memory } = testGuest();
    const base = guest.map(1024, { fill: "demand", pages: "2m", writable: true, file: 9 });
    guest.write((base + 600) as Vpn);
    vcpu.drain();
    expect(mappingOf(vcpu, memory, (base + 600) as Vpn)).toMatchObject({ level: 1 });
  });

  test("of data hold no code, and code cannot be stored to", () => {
    const { guest, vcpu } = testGuest();
    const data = guest.map(1, populated);
    guest.fetch(data);
    expect(() => vcpu.drain()).toThrow("forbidden access");
    const other = testGuest();
    const code = other.guest.map(1, { ...populated, writable: false, executable: true });
    other.guest.fetch(code);
    other.vcpu.drain();
    other.guest.write(code);
    expect(() => other.vcpu.drain()).toThrow("forbidden access");
  });
});

test("the set-up ends after all that the program did, a host acts after it too", () => {
  const { guest, vcpu, measures } = testGuest();
  const base = guest.map(4, { ...populated, fill: "demand" });
  guest.write(base);
  // Counted by the handler, not in batches: the access has run.
  const runs = vcpu.ledger.faultHandlerRuns;
  guest.measure();
  expect([vcpu.ledger.faultHandlerRuns - runs, measures()]).toEqual([1, 1]);
  guest.write((base + 1) as Vpn);
  guest.host({ kind: "merge" });
  expect(vcpu.ledger.faultHandlerRuns - runs).toBe(2);
});

// Planted: one event a frame, runs joined across a hole, a reserve that is given away.
test("a balloon gives runs of free frames to the host, leaves a reserve, and takes them back", () => {
  const frames = new FrameAllocator({ first: 0, frames: 1024 }, 1);
  const events: HostEvent[] = [];
  const balloon = new Balloon(frames, (event) => events.push(event));
  const hole = [frames.take(), frames.take(), frames.take()];
  balloon.resize(4);
  expect([balloon.size, frames.free]).toEqual([4, 1024 - 3 - 4]);
  const start = (hole[2]! + 1) as Gfn;
  expect(events).toEqual([{ kind: "reclaim", start, frames: 4 }]);
  frames.release(hole[1]!);
  events.length = 0;
  balloon.resize(6);
  // The frame that is free again, and the one behind the four.
  expect(events).toEqual([
    { kind: "reclaim", start: hole[1], frames: 1 },
    { kind: "reclaim", start: start + 4, frames: 1 },
  ]);
  events.length = 0;
  balloon.resize(2);
  expect([balloon.size, balloon.heldMax, events]).toEqual([2, 6, []]);
  balloon.resize(Infinity);
  expect([frames.free, balloon.size, balloon.heldMax]).toEqual([256, 1024 - 2 - 256, 766]);
  balloon.resize(0);
  expect([balloon.size, frames.free]).toEqual([0, 1022]);
});

test("a footprint is its pages, their tables, 40 frames a process and the kernel's 2 MiB, and a reserve", () => {
  const frames = (pages: number, processes: number) => footprintFrames({ pages, processes });
  // 512 + 40 frames and two tables for each 512, a sixteenth more, and 512.
  expect(frames(0, 1)).toBe(Math.ceil((552 + 1104 / 512) * 1.0625) + 512);
  expect(frames(10_000, 3)).toBe(Math.ceil((10_632 + 21_264 / 512) * 1.0625) + 512);
});

test("a chance of so many percent comes true so often", () => {
  const prng = new Prng(7);
  const share = (percent: number) => {
    let hits = 0;
    for (let i = 0; i < 20_000; i++) if (prng.chance(percent)) hits += 1;
    return hits / 20_000;
  };
  expect([share(0), share(100)]).toEqual([0, 1]);
  for (const percent of [1, 30, 50, 90]) {
    expect(Math.abs(share(percent) - percent / 100)).toBeLessThan(0.015);
  }
  const below = Array.from({ length: 5000 }, () => prng.below(7));
  expect([Math.min(...below), Math.max(...below), new Set(below).size]).toEqual([0, 6, 7]);
  // The same draws from the same seed, others from the next, and none from a state of zeros.
  const draws = (seed: number) =>
    Array.from({ length: 4 }, (_, __, drawn = new Prng(seed)) => drawn.next());
  expect(draws(1)).toEqual(draws(1));
  expect(draws(1)).not.toEqual(draws(2));
  expect(new Prng(0x9e37_79b9 | 0).next()).not.toBe(0);
});
