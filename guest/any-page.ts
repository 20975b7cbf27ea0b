/**
 * Any canonical page, brought into being and used by whoever owns it: a program in the user half, the kernel in
 * its own. For whoever wants to look at the walk of a pointer.
 *
 * The kernel half is the guest kernel's: an address in its direct map is that guest frame, for which the guest
 * gets memory enough, entry area and text are as they are, and the rest is mapped on demand.
 */
import { entriesPerTable, type PagingLevels, type Vpn } from "../machine/address.ts";
import { isKernelHalf } from "../machine/gva.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import { kernelLayout } from "./layout.ts";
import type { OperatingSystem } from "./operating-system.ts";

export interface AnyPage {
  readonly vpn: Vpn;
  readonly levels: PagingLevels;
  readonly pages: "4k" | "2m";
  /** Pages of that size side by side, a power of two; the block that holds `vpn` starts at a multiple of it. */
  readonly count: 1 | 2;
}

/** What the page is to the guest. */
export type PageKind = "user" | "direct map" | "entry area" | "kernel text" | "kernel, on demand";

/** 64 GiB: more memory no guest gets for the sake of an address. */
const framesMax = 2 ** 24;

export function pageKind({ vpn, levels }: Pick<AnyPage, "vpn" | "levels">): PageKind {
  if (!isKernelHalf(vpn, levels)) return "user";
  const { directMap, entryArea, text } = kernelLayout(levels);
  if (vpn >= directMap && vpn < directMap + framesMax) return "direct map";
  if (isIn2Mib(vpn, entryArea)) return "entry area";
  return isIn2Mib(vpn, text) ? "kernel text" : "kernel, on demand";
}

/** Why the guest cannot have such a page there, or nothing. */
export function pageProblem(page: AnyPage): string | undefined {
  const isSmall = page.pages === "2m" && pageKind(page) === "entry area";
  return isSmall ? "is in the kernel's entry area, whose pages are 4k" : undefined;
}

/** Guest frames without which the direct map does not reach the pages; 0 elsewhere. */
export function framesUpTo(page: AnyPage): number {
  if (pageKind(page) !== "direct map") return 0;
  return firstOf(page) + unitOf(page) * page.count - kernelLayout(page.levels).directMap;
}

/** How to load from and store to the pages, once they are mapped; what was there of the program's goes. */
export interface PageUser {
  read(vpn: Vpn, offset: number): void;
  write(vpn: Vpn, offset: number): void;
}

/** Maps the pages. */
export function mapAnyPage(system: OperatingSystem, vcpu: Vcpu, page: AnyPage): PageUser {
  const first = firstOf(page);
  const length = unitOf(page) * page.count;
  if (!isKernelHalf(page.vpn, page.levels)) {
    // Instead of its own first page the program runs from what is mapped over it.
    const executable = first <= system.image && system.image < first + length;
    const { pages } = page;
    system.mapAt(first, length, { fill: "populate", pages, writable: true, executable });
    return system;
  }
  for (let i = 0; i < page.count; i++) {
    const vpn = (first + i * unitOf(page)) as Vpn;
    system.mapKernel({ vpn, level: page.pages === "2m" ? 2 : 1 });
  }
  return {
    read: (vpn, offset) => asKernel(vcpu, () => vcpu.read(vpn, offset)),
    write(vpn, offset) {
      const kind = pageKind({ ...page, vpn });
      // Never stored to: a load is the touch that they get.
      const isReadOnly = kind === "kernel text" || kind === "entry area";
      asKernel(vcpu, () => (isReadOnly ? vcpu.read(vpn, offset) : vcpu.write(vpn, offset)));
    },
  };
}

function asKernel(vcpu: Vcpu, body: () => void): void {
  vcpu.drain();
  vcpu.setPrivilege("supervisor");
  body();
  vcpu.drain();
  vcpu.setPrivilege("user");
}

function unitOf({ pages }: AnyPage): number {
  return pages === "2m" ? entriesPerTable : 1;
}

function firstOf(page: AnyPage): Vpn {
  return (page.vpn - (page.vpn % (unitOf(page) * page.count))) as Vpn;
}

function isIn2Mib(vpn: number, area: number): boolean {
  return vpn >= area && vpn < area + entriesPerTable;
}
