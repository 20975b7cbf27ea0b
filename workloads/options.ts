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

/** Kernel switches that are parameters of a program: 0 or 1, so that a sweep can vary them. */
export type KernelSwitches = { readonly kpti: number; readonly pcid: number };

export function switches({ kpti, pcid }: KernelSwitches): Partial<KernelOptions> {
  return { kpti: kpti === 1, pcid: pcid === 1 };
}

/** 0: the guest's memory is fresh, as in a new virtual machine. 1: all of it was in use before. */
export type MemoryPast = { readonly usedMemory: number };

/** For programs that take new frames while they are measured: whether the host has backed them decides. */
export function switchesAndPast(params: KernelSwitches & MemoryPast): Partial<KernelOptions> {
  return { ...switches(params), usedMemory: params.usedMemory === 1 };
}
