/**
 * A program's data, there and warm before it is measured: steady-state figures must not contain first
 * touches, and a shadow engine fills its tables at the first access by the program itself.
 */
import type { Vpn } from "../machine/address.ts";
import type { Guest } from "../guest/guest.ts";
import { type PageSize, populated } from "./options.ts";

/** Pages to map for `pages` pages of data: with 2 MiB pages whole ones, or the kernel would not use them. */
export function mappedPages(pages: number, pageSize: PageSize): number {
  return pageSize === "2m" ? Math.ceil(pages / 512) * 512 : pages;
}

/** Maps `pages` writable pages of data, writes each once, and returns the first. */
export function workingSet(guest: Guest, pages: number, pageSize: PageSize): Vpn {
  const base = guest.map(mappedPages(pages, pageSize), populated(pageSize));
  writeEach(guest, base, pages);
  return base;
}

/**
 * Where in its page the `index`th access of a program without a layout goes, so that it uses as many lines as its pages
 * have. A stride coprime to the words of a page, no random number, for the pages drawn would be others.
 */
export function scatteredOffset(index: number): number {
  return 8 * ((index * 379) % 512);
}

/** One store to each page, in order. */
export function writeEach(guest: Guest, base: Vpn, pages: number): void {
  for (let i = 0; i < pages; i++) guest.write((base + i) as Vpn);
}
