/** Where programs and their mappings lie, what they get back, and what starting and ending them costs, counted by hand. */
import { describe, expect, test } from "vitest";
import type { Vpn } from "../machine/address.ts";
import { subtract } from "../machine/counters.ts";
import { kernelHalf } from "../machine/gva.ts";
import type { MapOptions, Pid } from "./guest.ts";
import { userLayout } from "./layout.ts";
import { mappingOf, testGuest } from "./test-guest.ts";

const { image: imageVpn, stackEnd, mmapEnd } = userLayout(4);
const populated: MapOptions = { fill: "populate", pages: "4k", writable: true };
/** A corner of the address space with no table below the root. */
const corner = 512 ** 3 * 7;

function booted(...options: Parameters<typeof testGuest>) {
  const all = testGuest(...options);
  const { guest, vcpu } = all;
  /** What `body` costs, and how many frames it takes. */
  const cost = (body: () => void) => {
    vcpu.drain();
    const { ledger } = vcpu.snapshot();
    const free = guest.freeFrames;
    body();
    vcpu.drain();
    const { pteLoads, pteStores, pagesZeroed, pagesCopied, invlpgs, cr3Writes } = subtract(
      vcpu.snapshot().ledger,
      ledger,
    );
    const frames = free - guest.freeFrames;
    return { pteLoads, pteStores, pagesZeroed, pagesCopied, invlpgs, cr3Writes, frames };
  };
  return { ...all, cost };
}

describe("where mappings go", () => {
  test("only those of at least 2 MiB that ask for it start on 2 MiB", () => {
    const { guest } = testGuest();
    const at = (pages: number, size: "4k" | "2m") =>
      mmapEnd - guest.map(pages, { fill: "demand", pages: size, writable: true });
    expect(at(8, "2m")).toBe(8);
    expect(at(600, "4k")).toBe(608);
    // Down to a border: 1120 pages below the end, and up to 1536.
    expect(at(512, "2m")).toBe(1536);
    expect(at(400, "2m")).toBe(608 + 400);
    expect(at(511, "4k")).toBe(1536 + 511);
    // A multiple of 2 MiB needs no more than its length.
    expect(at(1024, "2m")).toBe(2048 + 1024);
  });

  test.each([
    [1, 0],
    [1, -1],
    [-1, 1],
    [0.5, 1],
    [1, 1.5],
    [kernelHalf(4), 1],
    [kernelHalf(4) - 1, 2],
  ])("page %d, %d pages long, is no user range for any call", (vpn, pages) => {
    const { guest } = testGuest();
    const message = `guest: ${pages} pages at vpn ${vpn} are no user range`;
    expect(() => guest.mapAt(vpn as Vpn, pages, populated)).toThrow(message);
    expect(() => guest.unmap(vpn as Vpn, pages)).toThrow(message);
    expect(() => guest.protect(vpn as Vpn, pages, "read")).toThrow(message);
  });

  test("the user half ends where the kernel's begins, with 5 levels much later", () => {
    const { guest } = testGuest();
    expect(() => guest.mapAt((kernelHalf(4) - 1) as Vpn, 1, populated)).not.toThrow();
    expect(() => guest.mapAt(0 as Vpn, 1, populated)).not.toThrow();
    const { guest: deep } = testGuest({ levels: 5 });
    expect(() => deep.mapAt((kernelHalf(5) - 1) as Vpn, 1, populated)).not.toThrow();
    expect(() => deep.mapAt(kernelHalf(5), 1, populated)).toThrow("no user range");
  });
});

describe("processes", () => {
  // Planted: programs of all sizes taken for one file.
  test("that run a program again find it cached, another program they do not", () => {
    const { guest, cost } = booted();
    const run = (pages: number) =>
      cost(() => {
        guest.exec(pages);
        for (let i = 0; i < pages; i++) guest.read((imageVpn + i) as Vpn);
      }).pagesZeroed;
    // Three tables each for stack and image, a page of the stack, and the file's pages while they are not cached.
    const own = 3 + 3 + 1;
    expect([run(20), run(20), run(12), run(12), run(20)]).toEqual([
      own + 20,
      own,
      own + 12,
      own,
      own,
    ]);
  });

  test("of one page have code and no data", () => {
    const all = booted();
    const { guest, vcpu, memory } = all;
    guest.exec(1);
    vcpu.drain();
    expect(mappingOf(vcpu, memory, imageVpn)).toMatchObject({ executable: true, writable: false });
    guest.read((imageVpn + 1) as Vpn);
    expect(() => vcpu.drain()).toThrow("nothing is mapped");
  });

  test("have 32 pages of stack below its end, and no more", () => {
    const { guest, vcpu } = testGuest();
    guest.write((stackEnd - 1) as Vpn);
    guest.write((stackEnd - 32) as Vpn);
    vcpu.drain();
    guest.write((stackEnd - 33) as Vpn);
    expect(() => vcpu.drain()).toThrow("nothing is mapped");
    const other = testGuest();
    other.guest.write(stackEnd);
    expect(() => other.vcpu.drain()).toThrow("nothing is mapped");
  });

  test.each([
    [false, 2],
    [true, 3],
  ])("under KPTI (%s) give back roots, stack, tables and pages when they exit", (kpti, own) => {
    const { guest, cost } = booted({ kpti });
    guest.syscall();
    const child = guest.fork();
    guest.switchTo(child);
    guest.mapAt(corner as Vpn, 5, populated);
    // Its program's code page and the three tables to it came with its first instruction.
    expect(cost(() => guest.exit(1 as Pid)).frames).toBe(-(own + 3 + 5 + 3));
    expect(() => guest.switchTo(child)).toThrow(`process ${child} does not exist`);
    expect(() => guest.exit(1 as Pid)).toThrow("process 1 cannot outlive its exit");
  });
});

test("a machine that has been up has written each free frame once before its first process", () => {
  const boot = (usedMemory: boolean, frames: number) =>
    testGuest({ usedMemory }, frames).vcpu.snapshot().ledger;
  for (const frames of [1024, 4096]) {
    const { accesses, stores } = subtract(boot(true, frames), boot(false, frames));
    // The boot image has the first 2 MiB.
    expect([accesses, stores]).toEqual([frames - 512, frames - 512]);
  }
});

test("memory filled before its first touch is filled as a store would if it is writable, else as a load", () => {
  const { guest, cost } = booted();
  guest.mapAt(corner as Vpn, 1, populated);
  const fill = (i: number, options: Partial<MapOptions>) =>
    cost(() => guest.mapAt((corner + 8 * i) as Vpn, 4, { ...populated, ...options }));
  expect(fill(1, {})).toMatchObject({ pteStores: 4, pagesZeroed: 4, frames: 4 });
  expect(fill(2, { writable: false })).toMatchObject({ pteStores: 4, pagesZeroed: 0, frames: 0 });
  // Cached pages of a file are 4 of the frames, private copies the others.
  const copied = { pteStores: 4, pagesZeroed: 4, pagesCopied: 4, frames: 8 };
  expect(fill(3, { file: 2 })).toMatchObject(copied);
  expect(fill(4, { file: 2, writable: false })).toMatchObject({ pteStores: 4, frames: 0 });
});
