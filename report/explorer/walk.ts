/**
 * One page walk on the real machine, reference by reference, each at its place in the two-dimensional grid.
 *
 * The guest maps the page and touches it, then all translation caches are dropped, or warmed again by a
 * neighbouring page or by the page itself, and the page is read once more.
 */
import {
  type AnyPage,
  framesUpTo,
  mapAnyPage,
  type PageKind,
  pageKind,
  pageProblem,
} from "../../guest/any-page.ts";
import { type Gfn, hexAddress, indexAt, pagesPerEntry, type Vpn } from "../../machine/address.ts";
import { frameOf } from "../../machine/formats/x86-entry.ts";
import { type CounterName, subtract } from "../../machine/counters.ts";
import { type EntryFormat, entryText, entryValue } from "../../machine/entry-text.ts";
import { type Gva, readGva } from "../../machine/gva.ts";
import type { WalkReference } from "../../machine/mmu.ts";
import { createWorld, type PageSize, type World, type WorldOptions } from "./world.ts";

/** What the caches know before the walk: nothing, a neighbour's walk, or this page's. */
export type Warmth = "nothing" | "neighbour" | "page";

export interface WalkOptions extends Omit<WorldOptions, "watch" | "framesMin"> {
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
  /** Index of the entry in its table. */
  readonly index: number;
  /** Guest-physical address that a nested read helps to translate, that of the row; empty in the guest dimension. */
  readonly gpa: string;
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
  /** What the page is to the guest. */
  readonly kind: PageKind;
  /** Does the engine use a second dimension? */
  readonly isNested: boolean;
}

const hugePages = 512;
const entryBytes = 8;

export function walkOf(options: WalkOptions): ShownWalk {
  const { vpn, offset, pages, warmth } = options;
  const page = pageOf(options);
  const framesMin = framesUpTo(page);
  const world = createWorld({ ...options, framesMin });
  const { machine, vcpu, guest, nestedFormat } = world;
  const unit = pages === "2m" ? hugePages : 1;
  const neighbour = (vpn % (2 * unit) < unit ? vpn + unit : vpn - unit) as Vpn;
  const user = mapAnyPage(guest, vcpu, page);
  user.write(neighbour, 0);
  user.write(vpn, offset);
  vcpu.drain();
  vcpu.mmu.flushLinear();
  vcpu.mmu.flushNested();
  if (warmth !== "nothing") user.read(warmth === "page" ? vpn : neighbour, 0);
  const before = machine.snapshot().ledger;
  user.read(vpn, offset);
  const after = subtract(machine.snapshot().ledger, before);
  const references = after.walks === 0 ? [] : vcpu.mmu.lastWalk();
  return {
    steps: stepsOf(references, nestedFormat() ?? "x86-64", guestAddresses(world, options)),
    hits: caches.flatMap(([name, counter]) => {
      return after[counter] === 0 ? [] : [{ name, hits: after[counter] }];
    }),
    hpa: `0x${hexAddress(vcpu.mmu.lastPfn(), offset)}`,
    kind: pageKind(page),
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

/** Guest-physical addresses of the page's entries by level, and of the page itself at 0. */
function guestAddresses({ vcpu, hypervisor }: World, { vpn, offset }: Gva): Map<number, string> {
  const addresses = new Map<number, string>();
  const { memory } = hypervisor;
  let table: Gfn = vcpu.cr3.root;
  for (let level: number = vcpu.registers.levels; level > 0; level--) {
    const index = indexAt(vpn, level);
    addresses.set(level, `0x${hexAddress(table, index * entryBytes)}`);
    const low = memory.readLow(table, index);
    const frame = frameOf(low, memory.readHigh(table, index));
    if (level === 1 || entryText(low, 0, "x86-64", level).includes("PS")) {
      const within = vpn % pagesPerEntry(level);
      addresses.set(0, `0x${hexAddress(frame + within, offset)}`);
      break;
    }
    table = frame as Gfn;
  }
  return addresses;
}

function stepsOf(
  references: readonly WalkReference[],
  nested: EntryFormat,
  gpas: ReadonlyMap<number, string>,
): WalkStep[] {
  return references.map((reference, index) => {
    const { dimension, level, pfn, index: entry, low, high } = reference;
    const format = dimension === "guest" ? "x86-64" : nested;
    // A nested read finds out where the next guest entry lies; behind the last one, where the page does.
    const next = references.slice(index).find((later) => later.dimension === "guest");
    return {
      dimension,
      level,
      row: next?.level ?? 0,
      index: entry,
      gpa: dimension === "guest" ? "" : (gpas.get(next?.level ?? 0) ?? ""),
      address: `0x${hexAddress(pfn, entry * entryBytes)}`,
      format,
      value: entryValue(low, high),
      meaning: entryText(low, high, format, level),
    };
  });
}

/** The page and its neighbour. */
function pageOf(where: Pick<WalkOptions, "vpn" | "pages" | "guestLevels">): AnyPage {
  return { vpn: where.vpn, levels: where.guestLevels, pages: where.pages, count: 2 };
}

/** A guest-virtual address as people type it, or why it cannot be. */
export function readAddress(
  text: string,
  { guestLevels, pages }: Pick<WalkOptions, "guestLevels" | "pages">,
): Gva | { readonly problem: string } {
  const read = readGva(text, guestLevels);
  if ("problem" in read) return read;
  const problem = pageProblem(pageOf({ vpn: read.vpn, guestLevels, pages }));
  return problem === undefined ? read : { problem };
}
