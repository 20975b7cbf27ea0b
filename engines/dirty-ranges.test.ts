/** A log covers its range and no more: counted at its edges, for each way to keep one. */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../machine/address.ts";
import type { Engine } from "../hypervisor/engine.ts";
import { eptAd } from "./ept-ad.ts";
import { eptPml } from "./ept-pml.ts";
import { eptWp } from "./ept-wp.ts";
import { kvmTdp } from "./kvm-tdp.ts";
import { kvmTdpLegacy } from "./kvm-tdp-legacy.ts";
import { TestGuest } from "./kvm/test-guest.ts";
import { nptWp } from "./npt-wp.ts";
import { shadowLazy } from "./shadow-lazy.ts";
import { shadowWp } from "./shadow-wp.ts";

/** Frames 4 to 7 of the data. */
const four = { start: 0x804 as Gfn, frames: 4 };

function guestOf(engine: Engine, options: ConstructorParameters<typeof TestGuest>[1] = {}) {
  const guest = new TestGuest(engine, options);
  const { root } = guest.space(0, 16);
  guest.load(root);
  const write = (from: number, to: number) =>
    guest.cost(() => {
      for (let page = from; page < to; page++) guest.write(page);
    });
  write(0, 16);
  const gfns = () => guest.host({ kind: "dirty-log-get" }).map((gfn) => gfn - 0x800);
  return { guest, write, gfns };
}

// Planted: one page more at either end, a page fewer, a clear that arms the whole log.
describe.each([
  ["ept-wp", eptWp, { entriesWriteProtected: 4 }, 0],
  ["npt-wp", nptWp, { entriesWriteProtected: 4 }, 0],
  ["ept-pml", eptPml, { entriesDirtyCleared: 4 }, 0],
  ["ept-ad", eptAd, { entriesDirtyCleared: 4 }, 0],
  // The kernel's own map has each of them too.
  ["shadow-wp", shadowWp, { entriesWriteProtected: 8 }, 0],
  ["shadow-lazy", shadowLazy, { entriesWriteProtected: 4 }, 0],
  ["kvm-tdp", kvmTdp, { entriesWriteProtected: 4 }, 1],
  ["kvm-tdp-legacy", kvmTdpLegacy, { entriesWriteProtected: 4 }, 0],
] as const)("%s", (name, engine, armed, flushesAtEnd) => {
  test("arms and reports the frames of its range, and forgets them when it ends", () => {
    const { guest, write, gfns } = guestOf(engine);
    const on = () => expect(guest.host({ kind: "dirty-log-on", ...four })).toEqual([]);
    expect(guest.cost(on)).toMatchObject(armed);
    // Only a get reports.
    for (const kind of ["merge", "snapshot-drop"] as const)
      expect(guest.host({ kind })).toEqual([]);
    write(0, 16);
    expect(gfns()).toEqual([4, 5, 6, 7]);
    write(3, 6);
    expect(gfns()).toEqual([4, 5]);
    write(6, 9);
    const off = guest.cost(() => guest.host({ kind: "dirty-log-off" }));
    expect(off).toMatchObject({
      entriesDropped: 0,
      hugePagesCollapsed: 0,
      remoteFlushes: flushesAtEnd,
    });
    expect(gfns()).toEqual([]);
    write(0, 16);
    expect(gfns()).toEqual([]);
  });

  test("on large host pages makes small ones of what its range touches, and leaves the others", () => {
    const { guest } = guestOf(engine, { backing: "2m" });
    const next = 0xa00;
    const tables = guest.space(1, 0);
    for (let i = 0; i < 8; i++) guest.set(tables.pt, i, next + i, 0x67);
    guest.load(tables.root);
    for (let page = 0; page < 8; page++) guest.write(page);
    guest.host({ kind: "dirty-log-on", ...four });
    // The other large page is as it was.
    const quiet = guest.cost(() => {
      for (let page = 0; page < 8; page++) guest.write(page);
    });
    expect(quiet.exits, name).toBe(0);
    expect(guest.host({ kind: "dirty-log-get" })).toEqual([]);
  });
});

describe("a log that a clear arms", () => {
  test.each([
    ["ept-wp", eptWp],
    ["shadow-wp", shadowWp],
  ] as const)("%s protects what is cleared, once it was reported", (_name, engine) => {
    const { guest, write, gfns } = guestOf(engine, { dirtyLog: { armedBy: "clear" } });
    guest.host({ kind: "dirty-log-on", start: 0x800 as Gfn, frames: 16 });
    expect(write(0, 8)).toMatchObject({ exits: 8 });
    const clear = () => guest.cost(() => guest.host({ kind: "dirty-log-clear", ...four }));
    // Nothing was reported, so nothing is cleared.
    expect(clear()).toMatchObject({ entriesWriteProtected: 0 });
    expect(gfns()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(write(0, 8)).toMatchObject({ exits: 0 });
    // Of several mappings only the one that was stored through is writable again.
    expect(clear().entriesWriteProtected).toBe(4);
    expect(write(0, 8)).toMatchObject({ exits: 4 });
  });
});

test("a log of part of a 2 MiB page drops the shadow's large leaf, wherever the range begins", () => {
  for (const start of [0x800, 0x805, 0x9ff]) {
    const guest = new TestGuest(shadowWp, { backing: "2m" });
    const tables = guest.largeSpace(0);
    guest.load(tables.root);
    // The kernel's own small mapping of the frame goes: arming that would drop the large leaf too.
    guest.store(0x20 + (start >> 9), start & 511, 0, 0);
    expect(guest.exits(() => guest.write(start - 0x800))).toBe(0);
    guest.host({ kind: "dirty-log-on", start: start as Gfn, frames: 1 });
    expect(
      guest.exits(() => guest.write(start - 0x800)),
      `start ${start}`,
    ).toBe(1);
    expect(guest.host({ kind: "dirty-log-get" })).toEqual([start]);
  }
});
