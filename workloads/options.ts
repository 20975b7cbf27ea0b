/**
 * Parameters that many programs share: page size, kernel isolation, address-space tags.
 */
import type { MapOptions } from "../guest/guest.ts";
import type { KernelOptions } from "../guest/options.ts";

/** `pageSize`: "4k", or "2m" for transparent 2 MiB pages. */
export type PageSize = "4k" | "2m";

/** How a program gets its working set before it is measured: every page there, writable. */
export function populated(pageSize: PageSize): MapOptions {
  return { fill: "populate", pages: pageSize, writable: true };
}

/** Memory that its first touches fill. */
export function onDemand(pageSize: PageSize): MapOptions {
  return { fill: "demand", pages: pageSize, writable: true };
}

/** Kernel switches that are parameters of a program: 0 or 1, so that a sweep can vary them. */
export type KernelSwitches = { readonly kpti: number; readonly pcid: number };

export function switches({ kpti, pcid }: KernelSwitches): Partial<KernelOptions> {
  return { kpti: kpti === 1, pcid: pcid === 1 };
}
