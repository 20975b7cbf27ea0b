/** Same-page merging and copy-on-write of a guest's memory, counted by hand. */
import { describe, expect, test } from "vitest";
import type { Gfn, Vpn } from "../machine/address.ts";
import { ept } from "./ept.ts";
import { TestGuest } from "./kvm/test-guest.ts";
import { shadow } from "./shadow.ts";

const frames = 4096;
/** The kernel's tables: root, PDPT, PD and eight leaf tables. */
const tables = 3 + 8;

describe.each([
  ["shadow", shadow],
  ["ept", ept],
] as const)("under %s", (_name, engine) => {
  const pass = (guest: TestGuest) => guest.cost(() => guest.host({ kind: "merge" }));

  // Planted: pages merged at first sight, unequal pages merged, a page that is joined to itself.
  test("pages that stood still from one pass to the next share a frame with their equals", () => {
    const guest = new TestGuest(engine, { vcpus: 2 });
    for (const gfn of [0x300, 0x301, 0x302]) guest.set(gfn, 7, gfn === 0x302 ? 6 : 5, 1);
    // What booting left to flush is flushed by the first event, whichever it is.
    guest.host({ kind: "snapshot-drop" });
    const first = pass(guest);
    expect(first).toMatchObject({ framesScanned: frames, framesMerged: 0, remoteInterrupts: 0 });
    const second = pass(guest);
    // One frame of zeros for all that hold zeros, one for the two equal pages, one for the third.
    const merged = frames - tables - 3 - 1 + 1;
    expect(second).toMatchObject({
      framesScanned: frames,
      framesMerged: merged,
      framesSavedNow: merged,
      framesSavedPeak: merged,
      // A flush for each page that moves, and for the first of each group, which is protected.
      remoteInterrupts: 2 * (merged + 2),
    });
    expect(pass(guest)).toMatchObject({ framesMerged: 0, framesSavedNow: merged });
  });

  test("a store breaks one share; the page merges again two passes after it stands still", () => {
    const guest = new TestGuest(engine);
    pass(guest);
    pass(guest);
    const before = guest.cost(() => undefined).framesSavedNow;
    const [vcpu] = guest.machine.vcpus;
    const store = guest.cost(() => vcpu!.store(0x400 as Vpn, 3, 9, 0));
    expect(store).toMatchObject({ sharesBroken: 1, sharesReused: 0, framesSavedNow: before - 1 });
    vcpu!.zeroPage(0x400 as Vpn);
    vcpu!.drain();
    // Version and bytes are those of zeros again, as the pass before the store saw them.
    expect(pass(guest)).toMatchObject({ framesMerged: 1, framesSavedNow: before });
  });

  test("a snapshot of a part of a large page shares that part, and splits the rest from it", () => {
    const guest = new TestGuest(engine, { backing: "2m" });
    const range = { start: 0x805 as Gfn, frames: 10 };
    const taken = guest.cost(() => guest.host({ kind: "snapshot", ...range }));
    expect(taken).toMatchObject({ framesShared: 10, framesSavedNow: 10 });
    const [vcpu] = guest.machine.vcpus;
    const broken = guest.cost(() => {
      for (let gfn = 0x800; gfn < 0x820; gfn++) vcpu!.write(gfn as Vpn);
    });
    expect(broken).toMatchObject({ sharesBroken: 10, sharesReused: 0, framesSavedNow: 0 });
    // Across the border of two: the first is split though its end lies in the range.
    const across = { start: 0xbf0 as Gfn, frames: 32 };
    const both = guest.cost(() => guest.host({ kind: "snapshot", ...across }));
    expect(both).toMatchObject({ framesShared: 32, framesSavedNow: 32 });
    // Up to the end of a large page, and from the start of one: nothing more is split or shared.
    const whole = { start: 0xa00 as Gfn, frames: 512 };
    const large = guest.cost(() => guest.host({ kind: "snapshot", ...whole }));
    expect(large).toMatchObject({ framesShared: 512, framesSavedNow: 512 });
    const first = guest.cost(() => vcpu!.write(0xa00 as Vpn));
    expect(first).toMatchObject({ sharesBroken: 1, framesSavedNow: 511 });
    const dropped = guest.cost(() => guest.host({ kind: "snapshot-drop" }));
    expect(dropped).toMatchObject({ framesSavedNow: 0, framesSavedPeak: 512 });
  });

  test("a large page whose other users are gone is taken over whole", () => {
    const guest = new TestGuest(engine, { backing: "2m" });
    guest.host({ kind: "snapshot", start: 0xa00 as Gfn, frames: 512 });
    guest.host({ kind: "snapshot-drop" });
    const [vcpu] = guest.machine.vcpus;
    const write = (gfn: number) => guest.cost(() => vcpu!.write(gfn as Vpn));
    expect(write(0xa07)).toMatchObject({ sharesReused: 1, sharesBroken: 0 });
    expect(write(0xa08)).toMatchObject({ sharesReused: 0, sharesBroken: 0 });
  });
});
