/** The small parts of the machine by themselves: data caches, entries as text, placement, ledgers, rooms of a host. */
import { describe, expect, test } from "vitest";
import { hexAddress, hexGva, indexAt, pagesPerEntry, type Gfn, type Vpn } from "./address.ts";
import { addInto, counterNames, createLedger, subtract } from "./counters.ts";
import { createDataCache } from "./data-cache.ts";
import { entryText, entryValue } from "./entry-text.ts";
import * as bits from "./entry.ts";
import { frameOf, highHalf, lowHalf } from "./formats/x86-entry.ts";
import { fastMmu } from "./fast.ts";
import { Machine, type MachineOptions, shareHost } from "./machine.ts";
import { identity, linear, scatter } from "./placement.ts";
import { presets } from "./presets.ts";

const noFrills = { hashesLlc: false, programLines: false, pairPrefetch: false };

describe("data caches", () => {
  const level = (sets: number, ways: number) => ({ sets, ways, lineBytes: 64 }) as const;

  /** One level as a list per set, the least recently used line first. */
  function plainLevel(sets: number, ways: number) {
    const lists: number[][] = Array.from({ length: sets }, () => []);
    return (line: number): boolean => {
      const list = lists[line % sets]!;
      const at = list.indexOf(line);
      if (at >= 0) list.splice(at, 1);
      list.push(line);
      if (list.length > ways) list.shift();
      return at >= 0;
    };
  }

  // Planted: the first way that is not older taken as victim, a set with one way more, a hit that does not renew.
  test("equal three lists that forget what was used longest ago", () => {
    const shape = [level(2, 3), level(4, 2), level(8, 4)] as const;
    const [l1, l2, llc] = shape;
    const cache = createDataCache({ l1, l2, llc, ...noFrills });
    const plain = shape.map(({ sets, ways }) => plainLevel(sets, ways));
    let state = 1;
    for (let i = 0; i < 20_000; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      const line = (state >>> 8) % 41;
      const place = plain.findIndex((lookUp) => lookUp(line));
      expect(cache.reference(line)).toBe(place === -1 ? 3 : place);
    }
  });

  test("hold nothing after a reset, and their ages start again", () => {
    const cache = createDataCache({
      l1: level(1, 2),
      l2: level(1, 2),
      llc: level(1, 2),
      ...noFrills,
    });
    for (const line of [0, 1, 1, 1]) cache.reference(line);
    cache.reset();
    expect([0, 1].map((line) => cache.reference(line))).toEqual([3, 3]);
    // Line 1 goes from L1, though it was the one used most before the reset; a hit there renews nothing in L2.
    cache.reference(0);
    cache.reference(2);
    expect([cache.reference(0), cache.reference(1)]).toEqual([0, 1]);
  });
});

describe("addresses", () => {
  test("an entry maps 512 times as much at each level, and its index has nine bits", () => {
    expect([1, 2, 3, 4, 5, 6].map(pagesPerEntry)).toEqual(
      [0, 1, 2, 3, 4, 5].map((power) => 512 ** power),
    );
    const page = (((3 * 512 + 4) * 512 + 5) * 512 + 6) * 512 + 511;
    expect([1, 2, 3, 4, 5].map((at) => indexAt(page, at))).toEqual([511, 6, 5, 4, 3]);
  });

  test("are printed whole, and guest-virtual ones in their canonical form", () => {
    expect([hexAddress(0x85, 0x10), hexAddress(2 ** 32)]).toEqual(["85010", "100000000000"]);
    const high = (256 * 512 ** 3) as Vpn;
    expect(hexGva(high)).toBe("ffff800000000000");
    expect(hexGva(high, 8, 5)).toBe("800000000008");
    expect(hexGva((256 * 512 ** 4) as Vpn, 0, 5)).toBe("ff00000000000000");
    expect(hexGva((high - 1) as Vpn, 0xfff)).toBe("7fffffffffff");
  });
});

describe("entries as people read them", () => {
  test("have 16 digits", () => {
    expect(entryValue(0x8000_0001 | 0, 0x12)).toBe("0000001280000001");
  });

  test("have a frame and the names of their flags, by format and level", () => {
    const all = bits.P | bits.W | bits.U | bits.A | bits.D | bits.G | bits.PS;
    const low = lowHalf(0x85, all);
    expect(entryText(low, bits.NX_HIGH, "x86-64", 2)).toBe("frame 0x85000 P W U A D G PS NX");
    expect(entryText(low, 0, "x86-64", 1)).toBe("frame 0x85000 P W U A D G");
    expect(entryText(lowHalf(0x85, bits.W), 0, "x86-64", 3)).toBe("frame 0x85000 W");
    const ept = bits.EPT_R | bits.EPT_X | bits.EPT_A | bits.EPT_D | bits.EPT_PS;
    // NX is no bit of EPT, where X is missing instead.
    expect(entryText(lowHalf(1, ept), bits.NX_HIGH, "ept", 3)).toBe("frame 0x1000 R X A D PS");
    expect(entryText(lowHalf(1, 0x0f43), 0x0068_0000, "arm", 1)).toBe(
      "frame 0x1000 V EL0 AF nG DBM PXN UXN",
    );
    expect(entryText(lowHalf(0x200, 0x7fd), 0, "arm-s2", 2)).toBe("frame 0x200000 V R W AF BLOCK");
    expect(entryText(lowHalf(1, ept & ~bits.EPT_X), 0, "ept", 1)).toBe("frame 0x1000 R A D");
  });

  test("hold frames of 32 bits in both halves", () => {
    for (const frame of [0, 1, 0xf_ffff, 0x10_0000, 0xffff_ffff]) {
      const [low, high] = [lowHalf(frame, 0xfff), highHalf(frame, bits.NX_HIGH)];
      expect(frameOf(low, high)).toBe(frame);
      expect([low & 0xfff, high < 0]).toEqual([0xfff, true]);
    }
  });
});

describe("placement", () => {
  test.each([
    [512, 1],
    [4096, 1],
    [4096, 512],
  ])("scatters %i frames in blocks of %i, each to a place of its own", (frames, block) => {
    const placed = (seed: number) => {
      const place = scatter(frames, block, seed);
      return Array.from({ length: frames }, (_, gfn) => place(gfn as Gfn) as number);
    };
    const first = placed(1);
    expect(new Set(first).size).toBe(frames);
    expect([Math.min(...first), Math.max(...first)]).toEqual([0, frames - 1]);
    expect(placed(1)).toEqual(first);
    expect(placed(2)).not.toEqual(first);
    for (let gfn = 0; gfn < frames; gfn++) {
      expect(first[gfn]! - first[gfn - (gfn % block)]!).toBe(gfn % block);
    }
  });

  test("is the frame's own number on bare metal, and counts on from a frame where examples ask for it", () => {
    expect([identity(7 as Gfn), linear(0x85 as never)(3 as Gfn)]).toEqual([7, 0x88]);
  });
});

describe("ledgers", () => {
  const gauges = counterNames.filter((name) => /Now$|Peak$/.test(name));

  // Planted: gauges that are added up, a difference of gauges, a counter that takes the larger.
  test("add and subtract counts, and keep the larger and the later gauge", () => {
    const [now, then] = [createLedger(), createLedger()];
    for (const [i, name] of counterNames.entries()) {
      now[name] = 10 + i;
      then[name] = 3;
    }
    const sum = { ...then };
    addInto(sum, now);
    const difference = subtract(now, then);
    expect(gauges).toHaveLength(6);
    for (const [i, name] of counterNames.entries()) {
      const isGauge = gauges.includes(name);
      expect(sum[name], name).toBe(isGauge ? 10 + i : 13 + i);
      expect(difference[name], name).toBe(isGauge ? 10 + i : 7 + i);
    }
    addInto(now, then);
    for (const name of gauges) expect(now[name]).toBeGreaterThan(3);
    expect(Object.values(createLedger()).every((count) => count === 0)).toBe(true);
  });
});

describe("a machine", () => {
  const options: MachineOptions = {
    preset: presets.textbook,
    mmu: fastMmu,
    guestFrames: 600,
    vcpus: 2,
    seed: 1,
    backing: "4k",
    nestedLevels: 4,
    placement: "scatter",
    slotsMax: 64,
  };

  test("has a power of two of guest frames, at least 512", () => {
    const frames = [1, 512, 513, 600, 1024, 1025].map((guestFrames) => {
      return new Machine({ ...options, guestFrames }).guestFrames;
    });
    expect(frames).toEqual([512, 512, 1024, 1024, 1024, 2048]);
    expect(new Machine(options).memory.frames).toBe(1024 + 65_536);
    expect(new Machine({ ...options, guestFrames: 2 ** 23 }).memory.frames).toBe(2 ** 23 + 2 ** 17);
  });

  test("in worked examples has its frames in order from the first on", () => {
    const machine = new Machine({ ...options, placement: { linearFrom: 0x85 } });
    expect([machine.placement(0 as Gfn), machine.placement(9 as Gfn)]).toEqual([0x85, 0x8e]);
    expect(machine.memory.guestFrames).toBe(1024 + 0x85);
  });

  test("places 2 MiB of the guest together where the host's pages are that large", () => {
    const { placement } = new Machine({ ...options, backing: "2m", guestFrames: 4096 });
    for (const gfn of [0, 512, 3584]) {
      expect(placement((gfn + 511) as Gfn) - placement(gfn as Gfn)).toBe(511);
    }
  });

  test("shares a host with others: frames apart, one memory, no vCPU with another's tag", () => {
    const hosts = shareHost(3, options);
    const machines = hosts.map((host) => new Machine({ ...options, host }));
    const [first] = machines;
    expect(hosts.map(({ firstFrame, firstVpid }) => [firstFrame, firstVpid])).toEqual([
      [0, 1],
      [1024, 3],
      [2048, 5],
    ]);
    expect(first!.memory.guestFrames).toBe(3 * 1024);
    expect(first!.memory.frames).toBe(3 * (1024 + 65_536));
    expect(first!.memory.pfnOfSlot.length).toBe(3 * 64);
    const places = machines.flatMap(({ placement }) =>
      Array.from({ length: 1024 }, (_, gfn) => placement(gfn as Gfn)),
    );
    expect(new Set(places).size).toBe(3 * 1024);
    expect(machines.every(({ memory }) => memory === first!.memory)).toBe(true);
    expect(machines.map(({ vcpus }) => vcpus.map(({ id }) => id))).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
    ]);
  });

  test("sums what its vCPUs counted, and reads its gauges from memory", () => {
    const machine = new Machine(options);
    const [one, two] = machine.vcpus;
    one!.ledger.exits = 3;
    two!.ledger.exits = 4;
    one!.walkLengths[24] = 5;
    two!.walkLengths[24] = 6;
    two!.walkLengths[63] = 1;
    machine.memory.allocateTable();
    machine.memory.share(1 as never);
    machine.memory.share(2 as never);
    machine.memory.release(2 as never);
    const { ledger, walkLengths } = machine.snapshot();
    expect(ledger).toMatchObject({
      exits: 7,
      tableBytesPeak: 4096,
      framesSavedNow: 1,
      framesSavedPeak: 2,
    });
    expect([walkLengths[24], walkLengths[63], walkLengths.length]).toEqual([11, 1, 64]);
  });
});
