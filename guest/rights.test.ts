/** Rights that the guest kernel gives its own pages and its programs', read from the tables themselves. */
import { describe, expect, test } from "vitest";
import type { Vpn } from "../machine/address.ts";
import { entryPages, kernelLayout, textPages } from "./layout.ts";
import { mappingOf, testGuest } from "./test-guest.ts";

describe("the kernel's pages", () => {
  test.each(["4k", "2m", "1g"] as const)(
    "with a direct map of %s pages hold code or data",
    (directMap) => {
      const { vcpu, memory } = testGuest({ directMap });
      const { text, entryArea, directMap: base } = kernelLayout(4);
      const rights = (vpn: number) => {
        const mapping = mappingOf(vcpu, memory, vpn as Vpn);
        return mapping === null ? null : [mapping.executable, mapping.writable, mapping.user];
      };
      expect(rights(entryArea + entryPages.text)).toEqual([true, false, false]);
      expect(rights(entryArea + entryPages.descriptors)).toEqual([false, false, false]);
      expect(rights(entryArea + entryPages.stack)).toEqual([false, true, false]);
      expect(rights(entryArea + entryPages.count)).toBeNull();
      for (const page of [0, textPages.count - 1]) {
        expect(rights(text + page)).toEqual([true, false, false]);
      }
      for (const gfn of [0, 511, 512, 8191])
        expect(rights(base + gfn)).toEqual([false, true, false]);
      expect(rights(base + 8192)).toBeNull();
      const level = { "4k": 1, "2m": 2, "1g": 2 }[directMap];
      // 32 MiB hold no page of 1 GiB: the largest that fits is taken.
      expect(mappingOf(vcpu, memory, (base + 512) as Vpn)?.level).toBe(level);
      expect(mappingOf(vcpu, memory, text)?.level).toBe(directMap === "4k" ? 1 : 2);
    },
  );

  test("take 1 GiB at once where memory has it", () => {
    const { vcpu, memory } = testGuest({ directMap: "1g" }, 2 ** 19);
    const { directMap } = kernelLayout(4);
    for (const gfn of [0, 512 ** 2 - 1, 512 ** 2]) {
      const mapping = mappingOf(vcpu, memory, (directMap + gfn) as Vpn);
      expect([mapping?.level, mapping?.pfn]).toEqual([3, gfn]);
    }
  });
});

describe("mprotect", () => {
  const populated = { fill: "populate", pages: "4k", writable: true } as const;

  // Planted: pages that stay writable because they are the process's own, a shared page made writable.
  test("takes and gives W as the region says, to pages that are nobody else's", () => {
    const { guest, vcpu, memory } = testGuest();
    const base = guest.map(3, populated);
    const writable = () => {
      vcpu.drain();
      return [0, 1, 2].map((i) => mappingOf(vcpu, memory, (base + i) as Vpn)?.writable);
    };
    expect(writable()).toEqual([true, true, true]);
    guest.protect((base + 1) as Vpn, 1, "read");
    expect(writable()).toEqual([true, false, true]);
    guest.protect(base, 3, "none");
    expect(writable()).toEqual([undefined, undefined, undefined]);
    guest.protect(base, 3, "read");
    expect(writable()).toEqual([false, false, false]);
    guest.protect(base, 3, "read-write");
    expect(writable()).toEqual([true, true, true]);
    guest.fork();
    guest.write(base);
    guest.protect(base, 3, "read-write");
    expect(writable()).toEqual([true, false, false]);
  });

  test("of a 2 MiB page leaves it whole, and splits it for a part", () => {
    const { guest, vcpu, memory } = testGuest();
    const base = guest.map(512, { ...populated, pages: "2m" });
    const at = (i: number) => {
      vcpu.drain();
      const mapping = mappingOf(vcpu, memory, (base + i) as Vpn);
      return mapping === null ? null : [mapping.level, mapping.writable];
    };
    guest.protect(base, 512, "read");
    expect(at(7)).toEqual([2, false]);
    guest.protect(base, 512, "read-write");
    expect(at(7)).toEqual([2, true]);
    guest.protect((base + 7) as Vpn, 1, "read");
    expect([at(6), at(7), at(8)]).toEqual([
      [1, true],
      [1, false],
      [1, true],
    ]);
  });

  test("lets a program that asked for it unprotect a page at its first store", () => {
    const { guest, vcpu, memory } = testGuest();
    const base = guest.map(2, { ...populated, onForbidden: "unprotect" });
    guest.protect(base, 2, "read");
    const before = vcpu.snapshot().ledger.mprotects;
    guest.write(base);
    expect(vcpu.snapshot().ledger.mprotects).toBe(before + 1);
    expect(mappingOf(vcpu, memory, base)?.writable).toBe(true);
    expect(mappingOf(vcpu, memory, (base + 1) as Vpn)?.writable).toBe(false);
  });

  // Seen failing: the handler answering "retry", the store faulted for ever.
  test("lets a program that asked for it go on behind a forbidden store", () => {
    const { guest, vcpu, memory } = testGuest();
    const page = guest.map(1, { ...populated, writable: false, onForbidden: "skip" });
    // The first signal's frame makes the stack grow.
    guest.write(page);
    const before = vcpu.snapshot().ledger;
    for (let i = 0; i < 3; i++) guest.write(page);
    const { guestPageFaults, mprotects, syscalls } = vcpu.snapshot().ledger;
    expect(guestPageFaults - before.guestPageFaults).toBe(3);
    expect(mprotects).toBe(before.mprotects);
    // The handler's sigreturn.
    expect(syscalls - before.syscalls).toBe(3);
    expect(mappingOf(vcpu, memory, page)?.writable).toBe(false);
  });
});
