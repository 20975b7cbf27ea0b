/**
 * What each kind of guest page fault costs the guest kernel, counted by hand: entries stored, pages zeroed and copied,
 * and the flush that it owes for every change of an entry that was present.
 */
import { describe, expect, test } from "vitest";
import type { Vpn } from "../machine/address.ts";
import { subtract } from "../machine/counters.ts";
import type { MapOptions } from "./guest.ts";
import { mappingOf, testGuest } from "./test-guest.ts";

const anonymous: MapOptions = { fill: "demand", pages: "4k", writable: true };

function booted(...options: Parameters<typeof testGuest>) {
  const { guest, vcpu, memory } = testGuest(...options);
  /** What `body` costs the kernel, beside the way in and out. */
  const cost = (body: () => void) => {
    vcpu.drain();
    const before = vcpu.snapshot().ledger;
    body();
    vcpu.drain();
    const { faultHandlerRuns, pteStores, pagesZeroed, pagesCopied, invlpgs, invpcids, cr3Writes } =
      subtract(vcpu.snapshot().ledger, before);
    return { faultHandlerRuns, pteStores, pagesZeroed, pagesCopied, invlpgs, invpcids, cr3Writes };
  };
  return { guest, vcpu, memory, cost };
}

const nothing = {
  faultHandlerRuns: 0,
  pteStores: 0,
  pagesZeroed: 0,
  pagesCopied: 0,
  invlpgs: 0,
  invpcids: 0,
  cr3Writes: 0,
};
const oneFault = { ...nothing, faultHandlerRuns: 1 };

describe("a first touch of anonymous memory", () => {
  test("zeroes a frame and stores one entry for a write, and flushes nothing", () => {
    const { guest, cost } = booted();
    const base = guest.map(8, anonymous);
    guest.write(base);
    const write = cost(() => guest.write((base + 1) as Vpn));
    expect(write).toEqual({ ...oneFault, pteStores: 1, pagesZeroed: 1 });
    expect(cost(() => guest.write((base + 1) as Vpn))).toEqual(nothing);
  });

  test("makes and zeroes each table that is missing", () => {
    const { guest, cost } = booted();
    // The first process has no table below its root in this corner: three of them, and the page.
    guest.mapAt((512 ** 3 * 7) as Vpn, 1, anonymous);
    const first = cost(() => guest.write((512 ** 3 * 7) as Vpn));
    expect(first).toEqual({ ...oneFault, pteStores: 4, pagesZeroed: 4 });
  });

  // Planted: zeros that are copied; a store after which the page of zeros stays mapped in a TLB.
  test("maps the one page of zeros for a read, and a write then flushes it", () => {
    const { guest, vcpu, memory, cost } = booted();
    const base = guest.map(8, anonymous);
    guest.write(base);
    const page = (base + 1) as Vpn;
    expect(cost(() => guest.read(page))).toEqual({ ...oneFault, pteStores: 1 });
    expect(cost(() => guest.read((base + 2) as Vpn))).toEqual({ ...oneFault, pteStores: 1 });
    const zeros = mappingOf(vcpu, memory, page);
    expect(mappingOf(vcpu, memory, (base + 2) as Vpn)?.pfn).toBe(zeros?.pfn);
    expect(zeros?.writable).toBe(false);
    // Cleared, flushed, set.
    const write = cost(() => guest.write(page));
    expect(write).toEqual({ ...oneFault, pteStores: 2, pagesZeroed: 1, invlpgs: 1 });
    expect(mappingOf(vcpu, memory, page)?.pfn).not.toBe(zeros?.pfn);
  });

  test("without a page of zeros is writable from its first read on", () => {
    const { guest, cost } = booted({ sharedZeroPage: false });
    const base = guest.map(8, anonymous);
    guest.write(base);
    const page = (base + 1) as Vpn;
    expect(cost(() => guest.read(page))).toEqual({ ...oneFault, pteStores: 1, pagesZeroed: 1 });
    expect(cost(() => guest.write(page))).toEqual(nothing);
  });

  test("fills 2 MiB with one entry where it was asked for and fits, and none else", () => {
    const { guest, vcpu, memory, cost } = booted();
    const base = guest.map(1024, { ...anonymous, pages: "2m" });
    guest.write(base);
    const large = cost(() => guest.write((base + 512 + 3) as Vpn));
    expect(large).toEqual({ ...oneFault, pteStores: 1, pagesZeroed: 512 });
    expect(mappingOf(vcpu, memory, (base + 1023) as Vpn)).toMatchObject({ level: 2 });
    // One page short of 2 MiB at either end.
    const odd = (512 * 200 + 1) as Vpn;
    guest.mapAt(odd, 1022, { ...anonymous, pages: "2m" });
    guest.write(odd);
    guest.write((odd + 1021) as Vpn);
    vcpu.drain();
    expect(mappingOf(vcpu, memory, odd)).toMatchObject({ level: 1 });
    expect(mappingOf(vcpu, memory, (odd + 1021) as Vpn)).toMatchObject({ level: 1 });
    const { guest: small, vcpu: cpu, memory: bytes } = testGuest({ thp: false });
    const there = small.map(512, { ...anonymous, pages: "2m" });
    small.write(there);
    cpu.drain();
    expect(mappingOf(cpu, bytes, there)).toMatchObject({ level: 1 });
  });
});

describe("copy-on-write", () => {
  /** Parent and child share `pages` written pages; the parent runs. */
  function forked(...options: Parameters<typeof testGuest>) {
    const all = booted(...options);
    const base = all.guest.map(8, { ...anonymous, fill: "populate" });
    const child = all.guest.fork();
    return { ...all, base, child };
  }

  // Planted: no flush after the copy, a flush before the entry is cleared, one store instead of two.
  test("copies a shared page once, clears and sets its entry, and flushes that page", () => {
    const { guest, vcpu, memory, base, cost } = forked();
    guest.read(base);
    const shared = mappingOf(vcpu, memory, base);
    const copy = cost(() => guest.write(base));
    expect(copy).toEqual({ ...oneFault, pteStores: 2, pagesCopied: 1, invlpgs: 1 });
    const own = mappingOf(vcpu, memory, base);
    expect(own?.pfn).not.toBe(shared?.pfn);
    expect(cost(() => guest.write(base))).toEqual(nothing);
  });

  test("takes the last owner's page over by one store and a flush", () => {
    const { guest, vcpu, memory, base, child, cost } = forked();
    guest.write(base);
    guest.switchTo(child);
    guest.read(base);
    vcpu.drain();
    const before = mappingOf(vcpu, memory, base);
    expect(cost(() => guest.write(base))).toEqual({ ...oneFault, pteStores: 1, invlpgs: 1 });
    expect(mappingOf(vcpu, memory, base)?.pfn).toBe(before?.pfn);
  });

  test("under KPTI with PCID flushes the user's tag as well", () => {
    const { guest, base, cost } = forked({ kpti: true, pcid: true });
    // Two CR3 writes: the way in and the way out.
    const copied = { pteStores: 2, pagesCopied: 1, invlpgs: 1, invpcids: 1, cr3Writes: 2 };
    expect(cost(() => guest.write(base))).toEqual({ ...oneFault, ...copied });
    const untagged = forked({ kpti: true, pcid: false });
    expect(untagged.cost(() => untagged.guest.write(untagged.base))).toMatchObject({
      invlpgs: 1,
      invpcids: 0,
    });
  });

  test("splits a shared 2 MiB page, and copies the one small page that is written", () => {
    const { guest, vcpu, memory, cost } = booted();
    const base = guest.map(512, { ...anonymous, pages: "2m" });
    guest.write(base);
    const child = guest.fork();
    // The large entry is cleared, flushed, 512 small ones and the link are set; then one page is copied.
    const copy = cost(() => guest.write((base + 9) as Vpn));
    expect(copy).toEqual({ ...oneFault, pteStores: 1 + 512 + 1 + 2, pagesCopied: 1, invlpgs: 2 });
    // The child is not the only owner of all 512, for the parent's small pages hold 511 of them.
    guest.switchTo(child);
    expect(cost(() => guest.write(base)).pagesCopied).toBe(1);
    vcpu.drain();
    expect(mappingOf(vcpu, memory, base)).toMatchObject({ level: 1, writable: true });
  });

  test("takes a 2 MiB page over as a whole when nobody else has it any more", () => {
    const { guest, vcpu, memory, cost } = booted();
    const base = guest.map(512, { ...anonymous, pages: "2m" });
    guest.write(base);
    const child = guest.fork();
    const parent = 1 as typeof child;
    guest.switchTo(child);
    guest.exit(parent);
    expect(cost(() => guest.write((base + 77) as Vpn))).toEqual({
      ...oneFault,
      pteStores: 1,
      invlpgs: 1,
    });
    expect(mappingOf(vcpu, memory, base)).toMatchObject({ level: 2, writable: true });
  });
});

describe("a file", () => {
  const file: MapOptions = { fill: "demand", pages: "4k", writable: true, file: 5 };

  test("is read by 16 pages at once where they are cached, within the mapping and its window", () => {
    const { guest, vcpu, memory, cost } = booted();
    const base = (512 * 300) as Vpn;
    guest.mapAt(base, 40, file);
    // Nothing is cached: each page is filled by its own fault.
    for (let i = 0; i < 40; i++) guest.read((base + i) as Vpn);
    vcpu.drain();
    const again = (512 * 400 + 8) as Vpn;
    guest.mapAt(again, 20, file);
    // Window of 16 from page 512 * 400: the mapping begins in its middle.
    const first = cost(() => guest.read((again + 3) as Vpn));
    // Its table, the link to that, and eight entries.
    expect(first).toEqual({ ...oneFault, pagesZeroed: 1, pteStores: 1 + 8 });
    const mapped = Array.from({ length: 20 }, (_, i) =>
      mappingOf(vcpu, memory, (again + i) as Vpn),
    );
    expect(mapped.map((page) => page !== null)).toEqual(
      Array.from({ length: 20 }, (_, i) => i < 8),
    );
    // Page i of either mapping is page i of the file.
    mapped.slice(0, 8).forEach((page, i) => {
      expect(page?.pfn).toBe(mappingOf(vcpu, memory, (base + i) as Vpn)?.pfn);
      expect(page?.writable).toBe(false);
    });
    const rest = cost(() => {
      for (let i = 8; i < 20; i++) guest.read((again + i) as Vpn);
    });
    expect(rest).toMatchObject({ faultHandlerRuns: 1, pteStores: 12 });
  });

  test("written is copied at once, by one fault and without a flush", () => {
    const { guest, vcpu, memory, cost } = booted();
    const base = guest.map(4, file);
    guest.read(base);
    vcpu.drain();
    const cached = mappingOf(vcpu, memory, base);
    const write = cost(() => guest.write((base + 1) as Vpn));
    expect(write).toEqual({ ...oneFault, pteStores: 1, pagesZeroed: 1, pagesCopied: 1 });
    expect(cost(() => guest.write(base))).toEqual({
      ...oneFault,
      pteStores: 2,
      pagesCopied: 1,
      invlpgs: 1,
    });
    expect(mappingOf(vcpu, memory, base)?.pfn).not.toBe(cached?.pfn);
  });
});
