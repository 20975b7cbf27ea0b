/**
 * Parameters that many programs share: page size, kernel isolation, address-space tags.
 */
import type { MapOptions } from "../guest/guest.ts";
import type { KernelOptions } from "../guest/options.ts";

/** Parameters that take a few values only, by name: what a sweep file may say for them. */
export const paramChoices = {
  pageSize: ["4k", "2m"],
  kpti: [0, 1],
  pcid: [0, 1],
  usedMemory: [0, 1],
} as const;

/** "2m" asks for transparent 2 MiB pages. */
export type PageSize = (typeof paramChoices.pageSize)[number];

/** How a program gets its working set before it is measured: every page there, writable. */
export function populated(pageSize: PageSize): MapOptions {
  return { fill: "populate", pages: pageSize, writable: true };
}

/** Memory that its first touches fill. */
export function onDemand(pageSize: PageSize): MapOptions {
  return { fill: "demand", pages: pageSize, writable: true };
}

/** What a program's parameters say of its kernel and machine: 0 or 1, so that a sweep can vary them. */
export type KernelSwitches = {
  readonly kpti: number;
  readonly pcid: number;
  /**
   * 1, the usual: all of the guest's memory was in use before, as in a virtual machine that has been up. 0: it is
   * fresh, and each frame's first use is the host's to serve, under every scheme alike.
   */
  readonly usedMemory: number;
};

export function switches({ kpti, pcid, usedMemory }: KernelSwitches): Partial<KernelOptions> {
  return { kpti: kpti === 1, pcid: pcid === 1, usedMemory: usedMemory === 1 };
}
