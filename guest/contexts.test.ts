/** Every CR3 that the guest kernel writes, in order: root, PCID, and whether translations are kept. */
import { describe, expect, test } from "vitest";
import type { Vpn } from "../machine/address.ts";
import type { Pid } from "./guest.ts";
import { testGuest } from "./test-guest.ts";

/** PCID bit of user mode under KPTI. */
const user = 0x800;

/** A booted guest whose CR3 writes are written down: roots by the order in which they first come. */
function booted(...options: Parameters<typeof testGuest>) {
  const all = testGuest(...options);
  const { guest, vcpu } = all;
  guest.syscall();
  vcpu.drain();
  const roots: number[] = [];
  const writes: (readonly [number, number | undefined, boolean | undefined])[] = [];
  const writeCr3 = vcpu.writeCr3.bind(vcpu);
  vcpu.writeCr3 = (root, pcid, keep) => {
    if (!roots.includes(root)) roots.push(root);
    writes.push([roots.indexOf(root), pcid, keep]);
    return writeCr3(root, pcid, keep);
  };
  const written = (body: () => void) => {
    writes.length = 0;
    body();
    vcpu.drain();
    return [...writes];
  };
  return { ...all, guest, written };
}

describe("with PCID", () => {
  // Planted: a PCID too many or too few, the next one not round, a translation kept under another's PCID.
  test("six spaces keep their translations; a seventh takes the PCID that was given out first", () => {
    const { guest, written } = booted({ pcid: true });
    // Fork flushes the parent, which stays as it is.
    expect(written(() => guest.fork())).toEqual([[0, 1, false]]);
    for (let i = 0; i < 5; i++) guest.fork();
    const to = (pid: number) => written(() => guest.switchTo(pid as Pid));
    for (let pid = 2; pid <= 6; pid++) expect(to(pid)).toEqual([[pid - 1, pid, false]]);
    for (let pid = 1; pid <= 6; pid++) expect(to(pid)).toEqual([[pid - 1, pid, true]]);
    expect(to(7)).toEqual([[6, 1, false]]);
    expect(to(3)).toEqual([[2, 3, true]]);
    // The first has lost its own and takes the second's.
    expect(to(1)).toEqual([[0, 2, false]]);
    expect(to(7)).toEqual([[6, 1, true]]);
    expect(to(2)).toEqual([[1, 3, false]]);
    expect(to(2)).toEqual([]);
  });

  test("a fresh program gets the next PCID; nothing of the old space is kept or flushed", () => {
    const { guest, written } = booted({ pcid: true });
    for (let pcid = 2; pcid <= 6; pcid++) {
      expect(written(() => guest.exec(4))).toEqual([[pcid - 2, pcid, false]]);
    }
    expect(written(() => guest.exec(4)).map(([, ...how]) => how)).toEqual([[1, false]]);
  });

  test("more pages than 33 are flushed by the same CR3 with nothing kept", () => {
    const { guest, written } = booted({ pcid: true });
    const base = guest.map(64, { fill: "populate", pages: "4k", writable: true });
    expect(written(() => guest.unmap(base, 33))).toEqual([]);
    const more = guest.map(64, { fill: "populate", pages: "4k", writable: true });
    expect(written(() => guest.unmap(more, 34))).toEqual([[0, 1, false]]);
  });
});

describe("without PCID", () => {
  test("CR3 holds a root and no other bit, and every write drops all", () => {
    for (const kpti of [false, true]) {
      const { guest, vcpu, written } = booted({ pcid: false, kpti });
      const child = guest.fork();
      for (const [, ...how] of written(() => guest.switchTo(child))) {
        expect(how).toEqual([undefined, undefined]);
      }
      expect([vcpu.cr3LowBits, vcpu.cr3.pcid, vcpu.cr3.keep]).toEqual([0, 0, false]);
    }
  });
});

describe("under KPTI with PCID", () => {
  /** Roots in order of use: kernel's 0, user's 1 of the first process. */
  const way = { in: [0, 1, true], out: [1, 1 | user, true], outFlushed: [1, 1 | user, false] };

  test("a system call keeps both tags", () => {
    const { guest, written } = booted({ kpti: true, pcid: true });
    expect(written(() => guest.syscall())).toEqual([way.in, way.out]);
  });

  // Planted: the user's flush forgotten, done for ever after, or owed to another PCID.
  test("a full flush owes the user's tag one too, paid on the way out, once", () => {
    const { guest, written } = booted({ kpti: true, pcid: true });
    expect(written(() => guest.fork())).toEqual([way.in, [0, 1, false], way.outFlushed]);
    expect(written(() => guest.syscall())).toEqual([way.in, way.out]);
    const base = guest.map(64, { fill: "populate", pages: "4k", writable: true });
    expect(written(() => guest.unmap(base, 64))).toEqual([way.in, [0, 1, false], way.outFlushed]);
    expect(written(() => guest.syscall())).toEqual([way.in, way.out]);
  });

  test("a space that gets a PCID flushes both tags, one that comes back neither", () => {
    const { guest, written } = booted({ kpti: true, pcid: true });
    const child = guest.fork();
    written(() => guest.syscall());
    expect(written(() => guest.switchTo(child))).toEqual([
      way.in,
      [2, 2, false],
      [3, 2 | user, false],
      // Its first instruction: a fork copies no entries of unchanged file pages, so the page faults.
      [2, 2, true],
      [3, 2 | user, true],
    ]);
    const back = written(() => guest.switchTo(1 as Pid));
    expect(back).toEqual([[2, 2, true], [0, 1, true], way.out]);
  });

  test("one page is flushed under both tags of the loaded space", () => {
    const { guest, vcpu } = booted({ kpti: true, pcid: true });
    const child = guest.fork();
    guest.switchTo(child);
    const base = guest.map(2, { fill: "populate", pages: "4k", writable: true });
    const flushed: unknown[] = [];
    const invlpg = vcpu.invlpg.bind(vcpu);
    const invpcid = vcpu.invpcid.bind(vcpu);
    vcpu.invlpg = (vpn) => {
      flushed.push(vpn);
      return invlpg(vpn);
    };
    vcpu.invpcid = (...args) => {
      flushed.push(args);
      return invpcid(...args);
    };
    guest.unmap((base + 1) as Vpn, 1);
    expect(flushed).toEqual([base + 1, ["address", 2 | user, base + 1]]);
  });
});
