/**
 * One page walk on the real machine, reference by reference, each at its place in the two-dimensional grid.
 *
 * The guest maps the page and touches it, then all translation caches are dropped, or warmed again by a
 * neighbouring page or by the page itself, and the page is read once more.
 */
import { hexAddress, type Vpn } from "../../machine/address.ts";
import { type CounterName, subtract } from "../../machine/counters.ts";
import { type EntryFormat, entryText, entryValue } from "../../machine/entry-text.ts";
import type { WalkReference } from "../../machine/mmu.ts";
import { createWorld, type PageSize, type WorldOptions } from "./world.ts";

/** What the caches know before the walk: nothing, a neighbour's walk, or this page's. */
export type Warmth = "nothing" | "neighbour" | "page";

export interface WalkOptions extends Omit<WorldOptions, "watch"> {
  readonly vpn: Vpn;
  readonly offset: number;
  /** Guest page size. */
  readonly pages: PageSize;
  readonly warmth: Warmth;
}

export interface WalkStep {
  readonly dimension: "guest" | "nested";
  readonly level: number;
  /** Row of the grid: the level of the guest entry that this read leads to; 0 for the page itself. */
  readonly row: number;
  /** Host-physical address of the entry. */
  readonly address: string;
  readonly format: EntryFormat;
  /** 64 bits, hexadecimal. */
  readonly value: string;
  readonly meaning: string;
}

export interface CacheHit {
  readonly name: string;
  readonly hits: number;
}

export interface ShownWalk {
  readonly steps: readonly WalkStep[];
  /** Caches that answered something during this one access. */
  readonly hits: readonly CacheHit[];
  /** The page's host-physical address. */
  readonly hpa: string;
  /** Does the engine use a second dimension? */
  readonly isNested: boolean;
}

const hugePages = 512;
const entryBytes = 8;

export function walkOf(options: WalkOptions): ShownWalk {
  const { vpn, offset, pages, warmth } = options;
  const { machine, vcpu, guest, nestedFormat } = createWorld(options);
  const unit = pages === "2m" ? hugePages : 1;
  const first = (vpn - (vpn % (2 * unit))) as Vpn;
  const neighbour = (first + (vpn < first + unit ? unit : 0)) as Vpn;
  guest.mapAt(first, 2 * unit, { fill: "populate", pages, writable: true });
  guest.write(neighbour);
  guest.write(vpn, offset);
  vcpu.drain();
  vcpu.mmu.flushLinear();
  vcpu.mmu.flushNested();
  if (warmth !== "nothing") guest.read(warmth === "page" ? vpn : neighbour);
  const before = machine.snapshot().ledger;
  guest.read(vpn, offset);
  const after = subtract(machine.snapshot().ledger, before);
  const references = after.walks === 0 ? [] : vcpu.mmu.lastWalk();
  return {
    steps: stepsOf(references, nestedFormat() ?? "x86-64"),
    hits: caches.flatMap(([name, counter]) => {
      return after[counter] === 0 ? [] : [{ name, hits: after[counter] }];
    }),
    hpa: `0x${hexAddress(vcpu.mmu.lastPfn(), offset)}`,
    isNested: nestedFormat() !== null,
  };
}

const caches: readonly (readonly [string, CounterName])[] = [
  ["first-level TLB", "l1Hits"],
  ["second-level TLB", "stlbHits"],
  ["PML5E cache", "pwcHitsLevel5"],
  ["PML4E cache", "pwcHitsLevel4"],
  ["PDPTE cache", "pwcHitsLevel3"],
  ["PDE cache", "pwcHitsLevel2"],
  ["nested TLB", "nestedTlbHits"],
  ["nested level-5 cache", "nestedPwcHitsLevel5"],
  ["nested level-4 cache", "nestedPwcHitsLevel4"],
  ["nested level-3 cache", "nestedPwcHitsLevel3"],
  ["nested level-2 cache", "nestedPwcHitsLevel2"],
];

function stepsOf(references: readonly WalkReference[], nested: EntryFormat): WalkStep[] {
  return references.map((reference, index) => {
    const { dimension, level, pfn, index: entry, low, high } = reference;
    const format = dimension === "guest" ? "x86-64" : nested;
    // A nested read finds out where the next guest entry lies; behind the last one, where the page does.
    const next = references.slice(index).find((later) => later.dimension === "guest");
    return {
      dimension,
      level,
      row: next?.level ?? 0,
      address: `0x${hexAddress(pfn, entry * entryBytes)}`,
      format,
      value: entryValue(low, high),
      meaning: entryText(low, high, format, level),
    };
  });
}

/** User pages whose neighbour is one too; the guest's own image lies above. */
const vpnMax = 0x1_0000_0000;

/** A guest-virtual address as people type it, or why it cannot be. */
export function readAddress(
  text: string,
): { readonly vpn: Vpn; readonly offset: number } | { readonly problem: string } {
  const digits = /^\s*(?:0x)?([0-9a-f]{1,16})\s*$/i.exec(text)?.[1];
  if (digits === undefined) return { problem: "must be hexadecimal, such as 0x400000" };
  const address = BigInt(`0x${digits}`);
  const vpn = Number(address / 4096n) as Vpn;
  if (vpn >= vpnMax) return { problem: `must be below 0x${hexAddress(vpnMax)}` };
  if (vpn < 2 * hugePages) return { problem: `must be 0x${hexAddress(2 * hugePages)} or more` };
  return { vpn, offset: Number(address % 4096n) };
}
