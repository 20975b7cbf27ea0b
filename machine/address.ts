/**
 * Page numbers and addresses.
 *
 * Three branded page numbers keep the address spaces apart: mixing them does not compile. A page
 * number is a JavaScript number and always exact (57-bit GVA: 45-bit VPN; 44-bit HPA: 32-bit pfn).
 * Whole byte addresses appear only at the edges, as text. Inside `machine/` an address is two int32
 * halves, because bit operators in JavaScript work on 32 bits.
 */
declare const brand: unique symbol;

/** Guest-virtual page number: GVA / 4 KiB, of 39, 48 or 57 bits with the sign extension dropped. */
export type Vpn = number & { readonly [brand]: "vpn" };
/** Guest-physical frame number (KVM's term): GPA / 4 KiB. */
export type Gfn = number & { readonly [brand]: "gfn" };
/** Host-physical frame number (KVM's term): HPA / 4 KiB. */
export type Pfn = number & { readonly [brand]: "pfn" };

/** log2 of a page's size in 4 KiB pages: 0 is 4 KiB, 9 is 2 MiB, 18 is 1 GiB. */
export type PageOrder = 0 | 9 | 18;
/** Sizes of the host pages that may back a guest, as options and files name them. */
export const hostPageSizes = ["4k", "2m", "1g"] as const;
export type HostPageSize = (typeof hostPageSizes)[number];
/** Page sizes in sentences, headings and labels; options, parameters and files say `4k`, `2m`, `1g`. */
export const pageSizeWords: Readonly<Record<HostPageSize, string>> = {
  "4k": "4 KiB",
  "2m": "2 MiB",
  "1g": "1 GiB",
};
/** Depth of a table tree: the paging mode's levels. Level 1 is the table that holds 4 KiB leaves. */
export type PagingLevels = 3 | 4 | 5;

/** 8-byte entries in a 4 KiB table. */
export const entriesPerTable = 512;
/** A name that V8 folds: see `hypervisor/guest-walk.ts`. */
const indexMask = entriesPerTable - 1;

const tableIndexSpan = [1, 512, 512 ** 2, 512 ** 3, 512 ** 4];
const entriesPerPage = tableIndexSpan.map((pages) => 1 / pages);

/** Pages that one entry at `level` maps: 1, 512, 512^2, ... */
export function pagesPerEntry(level: number): number {
  return tableIndexSpan[level - 1] ?? 512 ** (level - 1);
}

export function orderOfSize(size: HostPageSize): PageOrder {
  return { "4k": 0, "2m": 9, "1g": 18 }[size] as PageOrder;
}

/** Level of the leaf that maps a page of that order. */
export function levelOfOrder(order: PageOrder): 1 | 2 | 3 {
  return (order / 9 + 1) as 1 | 2 | 3;
}

/** Index (0 to 511) of the entry at `level` that translates page number `page`. */
export function indexAt(page: number, level: number): number {
  // The product is exact, and `&` takes its whole part modulo 2^32: much faster than floor and remainder, or `/`.
  return (page * entriesPerPage[level - 1]!) & indexMask;
}

/** An address as the manuals print it: page number and byte offset to hexadecimal without 0x. */
export function hexAddress(page: number, offset = 0): string {
  return (BigInt(page) * 4096n + BigInt(offset)).toString(16);
}

/** Sign-extends a guest-virtual page number, for printing: the canonical form has 64 bits. */
export function hexGva(vpn: Vpn, offset = 0, levels: PagingLevels = 4): string {
  const address = BigInt(vpn) * 4096n + BigInt(offset);
  return BigInt.asUintN(64, BigInt.asIntN(addressBits(levels), address)).toString(16);
}

/** Bits of an address that so many levels translate. */
export function addressBits(levels: PagingLevels): number {
  return 12 + 9 * levels;
}
