/**
 * Who is interrupted when mappings change: every vCPU when the host acts, all but one when that one exited.
 *
 * One definition for every engine, in `flush.ts`: an engine of `index.ts` is tested here from the day it is added.
 */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../machine/address.ts";
import { userPage, withoutWrite } from "../machine/formats/x86-entry.ts";
import { presets } from "../machine/presets.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { eptPml } from "./ept-pml.ts";
import { engines } from "./index.ts";
import { TestGuest } from "./kvm/test-guest.ts";

/** They flush for frames that are taken away even if nothing maps those. */
const flushesAlways: ReadonlySet<string> = new Set([
  "shadow",
  "shadow-vtlb",
  "ept",
  "npt",
  "kvm-tdp",
]);

const vcpus = 4;
const pages = 16;
const data = { start: 0x800 as Gfn, frames: pages };

/** One of each way to map. */
const mappers = [
  "shadow",
  "shadow-vtlb",
  "shadow-lazy",
  "ept",
  "npt",
  "kvm-tdp",
  "kvm-tdp-legacy",
] as const;
const virtualized = Object.entries(engines).filter(([name]) => name !== "native");

/** Threads of one space, a vCPU each; every page is mapped for writing. */
function threads(engine: Engine, count: number): TestGuest {
  const guest = new TestGuest(engine, { vcpus: count, preset: presets["skylake-sp"] });
  const { root } = guest.space(0, pages);
  for (let id = 0; id < count; id++) {
    guest.on(id);
    guest.load(root);
    for (let page = 0; page < pages; page++) guest.write(page);
  }
  return guest;
}

describe.each([1, 2, 4])("%i vCPUs", (count) => {
  // Planted: flushes counted by vCPUs reached, or also where they reach nobody (engines did either, and were priced
  // alike); one interrupt fewer where the host acts; one more for a vCPU that exited; none at all.
  describe.each(virtualized)("%s", (_name, engine) => {
    test("pay a flush and v interrupts for a snapshot, and v - 1 for a share that one of them breaks", () => {
      const guest = threads(engine, count);
      const taken = guest.cost(() => guest.host({ kind: "snapshot", ...data }));
      expect(taken).toMatchObject({
        framesShared: pages,
        remoteFlushes: 1,
        remoteInterrupts: count,
      });
      guest.on(count - 1);
      const mapped = guest.cost(() => guest.read(3));
      expect(mapped.exits + mapped.softwareExits).toBe(1);
      expect(mapped).toMatchObject({ remoteFlushes: 0, remoteInterrupts: 0 });
      const broken = guest.cost(() => guest.write(3));
      expect(broken.exits + broken.softwareExits).toBe(1);
      expect(broken).toMatchObject({ sharesBroken: 1, sharesReused: 0 });
      expect(broken).toMatchObject({
        remoteFlushes: count === 1 ? 0 : 1,
        remoteInterrupts: count - 1,
      });
    });

    test("pay v - 1 interrupts a flush whatever a guest does to its tables, and nothing alone", () => {
      const guest = threads(engine, count);
      const { root, pt, pd } = guest.space(1, pages);
      const steps: Record<string, () => void> = {
        load: () => guest.load(root),
        touch: () => guest.write(2),
        "store a leaf": () => guest.store(pt, 2, guest.data(9), withoutWrite(userPage)),
        invlpg: () => guest.invlpg(2),
        "read it": () => guest.read(2),
        "store a link": () => guest.store(pd, 0, 0, 0),
        reload: () => guest.load(root),
      };
      for (const [step, run] of Object.entries(steps)) {
        const { remoteFlushes, remoteInterrupts } = guest.cost(run);
        expect(remoteInterrupts, step).toBe(remoteFlushes * (count - 1));
        if (count === 1) expect(remoteFlushes, step).toBe(0);
      }
    });
  });
});

describe.each(mappers)("%s", (name) => {
  const started = (): TestGuest => threads(engines[name], vcpus);

  // Planted: vCPUs that keep what they had cached.
  test("no vCPU uses a shared frame that another one has copied away", () => {
    const guest = started();
    guest.host({ kind: "snapshot", ...data });
    guest.on(2);
    guest.write(3);
    // Each maps the new frame from what the first one's exit left. A virtual TLB is each vCPU's own.
    for (const id of [0, 1, 3]) {
      guest.on(id);
      const exits = name === "shadow-vtlb" ? 1 : 0;
      expect(guest.cost(() => guest.write(3)).exits, `vCPU ${id}`).toBe(exits);
    }
  });

  test("frames swapped out or taken away interrupt every vCPU once, however many they are", () => {
    const guest = started();
    const out = guest.cost(() => guest.host({ kind: "evict", ...data }));
    expect(out).toMatchObject({ hostSwapOuts: pages, remoteInterrupts: vcpus });
    // Under a virtual TLB everything goes; elsewhere what was asked for, page by page.
    if (name !== "shadow-vtlb") expect(out.neighboursUnmapped).toBe(0);
    const gone = guest.cost(() => guest.host({ kind: "reclaim", ...data }));
    expect(gone.hostSwapOuts).toBe(0);
    // Under a virtual TLB, which is emptied, the interrupt comes whatever is mapped.
    expect(gone.remoteInterrupts).toBe(flushesAlways.has(name) ? vcpus : 0);
    const back = guest.cost(() => guest.read(0));
    expect(back).toMatchObject({ hostFaults: 1, hostMajorFaults: 0 });
  });

  test("the last user of a shared frame keeps it: no copy, no flush, no interrupt", () => {
    const guest = started();
    guest.host({ kind: "snapshot", ...data });
    guest.read(5);
    guest.host({ kind: "snapshot-drop" });
    const reused = guest.cost(() => guest.write(5));
    expect(reused).toMatchObject({ exits: 1, sharesBroken: 0, sharesReused: 1 });
    expect(reused).toMatchObject({ remoteFlushes: 0, remoteInterrupts: 0 });
  });

  test("a pass of the merger looks at every page and interrupts for each that moves or is protected", () => {
    const guest = started();
    const first = guest.cost(() => guest.host({ kind: "merge" }));
    expect(first).toMatchObject({ framesMerged: 0, remoteInterrupts: 0 });
    expect(first.framesScanned).toBe(guest.machine.guestFrames);
  });
});

// Planted: a log that interrupts one vCPU too few; buffers emptied without an interrupt.
test("each question to a log of four vCPUs interrupts them to empty their buffers, and to flush", () => {
  const guest = new TestGuest(eptPml, { vcpus });
  const { root } = guest.space(0, pages);
  guest.load(root);
  const on = guest.cost(() => guest.host({ kind: "dirty-log-on", ...data }));
  expect(on).toMatchObject({ remoteFlushes: 1, remoteInterrupts: vcpus });
  for (let page = 0; page < pages; page++) guest.write(page);
  const get = guest.cost(() => guest.host({ kind: "dirty-log-get" }));
  expect(get).toMatchObject({
    dirtyPagesReported: pages,
    entriesDirtyCleared: pages,
    remoteFlushes: 1,
    remoteInterrupts: 2 * vcpus,
  });
  // Nothing was written since, so nothing is armed and nothing is flushed.
  const again = guest.cost(() => guest.host({ kind: "dirty-log-get" }));
  expect(again).toMatchObject({ dirtyPagesReported: 0, remoteInterrupts: vcpus });
});
