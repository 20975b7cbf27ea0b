/**
 * The yardstick's four access streams: sequential lines, uniform, zipf 0.99 and a pointer chase over a region.
 *
 * They must equal the C program's draw by draw (xorshift32, one draw decides page, offset and store), so that
 * counters can be compared. One access in four is a store. Exponentials use + - * / only.
 */
import { STORE } from "../../machine/mmu.ts";

export type StreamKind = "seq" | "uniform" | "zipf" | "chase";

/** Fills the first `count` entries of the two columns with the stream's next accesses. */
export type FillColumns = (low: Int32Array, high: Int32Array, count: number) => void;

/** First page of the region: GVA 0x555540000000. */
export const regionVpn = 0x5_5554_0000;
const regionLow = 0x4_0000;
const regionHigh = 0x5555;

/** A stream over `pages` 4 KiB pages (a power of two) from this seed on. */
export function createStream(kind: StreamKind, pages: number, seed: number): FillColumns {
  let state = seed | 0;
  const draw = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
  const pageOf = choosers[kind](pages, draw);
  return (low, high, count) => {
    for (let k = 0; k < count; k++) {
      const bits = draw();
      const store = Math.imul(bits, 0x9e37_79b1) >>> 30 === 0 ? STORE : 0;
      const { page, offset } = pageOf(bits);
      const vpn = page + regionLow;
      low[k] = (vpn << 12) | offset;
      high[k] = (regionHigh + (vpn >>> 20)) | store;
    }
  };
}

interface Place {
  page: number;
  offset: number;
}

type Chooser = (pages: number, draw: () => number) => (bits: number) => Place;

const choosers: Readonly<Record<StreamKind, Chooser>> = {
  seq(pages) {
    let line = 0;
    const place = { page: 0, offset: 0 };
    return () => {
      place.page = line >>> 6;
      place.offset = (line & 63) * 64;
      line = (line + 1) % (pages * 64);
      return place;
    };
  },
  uniform(pages) {
    const place = { page: 0, offset: 0 };
    return (bits) => {
      place.page = bits & (pages - 1);
      place.offset = bits >>> 20;
      return place;
    };
  },
  zipf(pages, draw) {
    const { threshold, alias } = zipfTable(pages);
    const place = { page: 0, offset: 0 };
    return (bits) => {
      const column = bits & (pages - 1);
      const second = draw();
      const rank = second >>> 0 <= threshold[column]! ? column : alias[column]!;
      place.page = Math.imul(rank, 0x9e37_79b1) & (pages - 1);
      place.offset = second >>> 20;
      return place;
    };
  },
  chase(pages, draw) {
    const successor = new Int32Array(pages).map((_, page) => page);
    // Sattolo's shuffle: one cycle through all pages.
    for (let i = pages - 1; i > 0; i--) {
      const j = Math.floor(((draw() >>> 0) * i) / 0x1_0000_0000);
      [successor[i], successor[j]] = [successor[j]!, successor[i]!];
    }
    const place = { page: 0, offset: 0 };
    return (bits) => {
      place.page = successor[place.page]!;
      place.offset = bits >>> 20;
      return place;
    };
  },
};

/** Natural logarithm for x >= 1, from exact operations only. */
function logarithm(x: number): number {
  let halvings = 0;
  let reduced = x;
  while (reduced > 1.5) {
    reduced *= 0.5;
    halvings += 1;
  }
  const z = (reduced - 1) / (reduced + 1);
  let term = z;
  let sum = 0;
  for (let k = 1; k < 40; k += 2) {
    sum += term / k;
    term *= z * z;
  }
  return 2 * sum + halvings * 0.6931471805599453;
}

function exponential(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; k < 24; k++) {
    term = (term * x) / k;
    sum += term;
  }
  return sum;
}

/** Walker's alias table for probabilities proportional to rank^-0.99. */
function zipfTable(ranks: number): { readonly threshold: Uint32Array; readonly alias: Int32Array } {
  const weight = new Float64Array(ranks);
  let total = 0;
  for (let i = 0; i < ranks; i++) {
    const rank = i + 1;
    weight[i] = exponential(0.01 * logarithm(rank)) / rank;
    total += weight[i]!;
  }
  const threshold = new Uint32Array(ranks).fill(0xffff_ffff);
  const alias = new Int32Array(ranks);
  const light: number[] = [];
  const heavy: number[] = [];
  for (let i = 0; i < ranks; i++) {
    weight[i] = (weight[i]! * ranks) / total;
    (weight[i]! < 1 ? light : heavy).push(i);
  }
  while (light.length > 0 && heavy.length > 0) {
    const small = light.pop()!;
    const large = heavy.pop()!;
    threshold[small] = Math.floor(weight[small]! * 4294967295);
    alias[small] = large;
    weight[large] = weight[large]! - (1 - weight[small]!);
    (weight[large] < 1 ? light : heavy).push(large);
  }
  return { threshold, alias };
}
