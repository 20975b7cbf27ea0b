/**
 * Who is interrupted when mappings change: every vCPU when the host acts, all but one when that one exited.
 *
 * On a single vCPU the two differ by nothing that a test would see, so these guests have four.
 */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../machine/address.ts";
import { presets } from "../machine/presets.ts";
import { ept } from "./ept.ts";
import { eptPml } from "./ept-pml.ts";
import { kvmTdp } from "./kvm-tdp.ts";
import { kvmTdpLegacy } from "./kvm-tdp-legacy.ts";
import { TestGuest } from "./kvm/test-guest.ts";
import { npt } from "./npt.ts";
import { shadowLazy } from "./shadow-lazy.ts";
import { shadowVtlb } from "./shadow-vtlb.ts";
import { shadow } from "./shadow.ts";

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

/** Flushes of one change of mappings, as the engine counts them: of other vCPUs, or rounds of all. */
const engines = {
  shadow: [shadow, vcpus - 1],
  "shadow-vtlb": [shadowVtlb, vcpus - 1],
  "shadow-lazy": [shadowLazy, 1],
  ept: [ept, vcpus - 1],
  npt: [npt, vcpus - 1],
  "kvm-tdp": [kvmTdp, 1],
  "kvm-tdp-legacy": [kvmTdpLegacy, 1],
} as const;

/** Four threads of one space; every page is mapped for writing. */
function threads(name: keyof typeof engines): TestGuest {
  const guest = new TestGuest(engines[name][0], { vcpus, preset: presets["skylake-sp"] });
  const { root } = guest.space(0, pages);
  for (let id = 0; id < vcpus; id++) {
    guest.on(id);
    guest.load(root);
    for (let page = 0; page < pages; page++) guest.write(page);
  }
  return guest;
}

describe.each(Object.keys(engines) as (keyof typeof engines)[])("%s", (name) => {
  const flushes = engines[name][1];

  // Planted: one interrupt fewer where the host acts, one more for a vCPU that exited, none at all.
  test("a snapshot interrupts every vCPU, a share broken by one of them the others", () => {
    const guest = threads(name);
    const taken = guest.cost(() => guest.host({ kind: "snapshot", ...data }));
    expect(taken).toMatchObject({
      framesShared: pages,
      remoteFlushes: flushes,
      remoteInterrupts: vcpus,
    });
    guest.on(2);
    const mapped = guest.cost(() => guest.read(3));
    expect(mapped).toMatchObject({ exits: 1, remoteFlushes: 0, remoteInterrupts: 0 });
    const broken = guest.cost(() => guest.write(3));
    expect(broken).toMatchObject({ exits: 1, sharesBroken: 1, sharesReused: 0 });
    expect(broken).toMatchObject({ remoteFlushes: flushes, remoteInterrupts: vcpus - 1 });
    // Nobody holds what it had cached: each maps the new frame from what the first one's exit left. A virtual TLB
    // is each vCPU's own.
    for (const id of [0, 1, 3]) {
      guest.on(id);
      const exits = name === "shadow-vtlb" ? 1 : 0;
      expect(guest.cost(() => guest.write(3)).exits, `vCPU ${id}`).toBe(exits);
    }
  });

  test("frames swapped out or taken away interrupt every vCPU once, however many they are", () => {
    const guest = threads(name);
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
    const guest = threads(name);
    guest.host({ kind: "snapshot", ...data });
    guest.read(5);
    guest.host({ kind: "snapshot-drop" });
    const reused = guest.cost(() => guest.write(5));
    expect(reused).toMatchObject({ exits: 1, sharesBroken: 0, sharesReused: 1 });
    expect(reused).toMatchObject({ remoteFlushes: 0, remoteInterrupts: 0 });
  });

  test("a pass of the merger looks at every page and interrupts for each that moves or is protected", () => {
    const guest = threads(name);
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
  expect(on).toMatchObject({ remoteFlushes: vcpus - 1, remoteInterrupts: vcpus });
  for (let page = 0; page < pages; page++) guest.write(page);
  const get = guest.cost(() => guest.host({ kind: "dirty-log-get" }));
  expect(get).toMatchObject({
    dirtyPagesReported: pages,
    entriesDirtyCleared: pages,
    remoteInterrupts: 2 * vcpus,
  });
  // Nothing was written since, so nothing is armed and nothing is flushed.
  const again = guest.cost(() => guest.host({ kind: "dirty-log-get" }));
  expect(again).toMatchObject({ dirtyPagesReported: 0, remoteInterrupts: vcpus });
});
