/**
 * Guest-virtual addresses as people write them, and the two halves that are canonical.
 *
 * Silicon takes a GVA whose upper bits all equal its highest translated one (bit 47 with four levels);
 * a `Vpn` drops what they repeat. So the user half is below `kernelHalf` and the kernel half from there on, and
 * a page number tells on which side it lies without a sign of its own.
 *
 * Source: SDM vol. 1 3.3.7.1 "Canonical Addressing".
 */
import {
  addressBits,
  entriesPerTable,
  type PagingLevels,
  pagesPerEntry,
  type Vpn,
} from "./address.ts";

export interface Gva {
  readonly vpn: Vpn;
  /** Byte in the page. */
  readonly offset: number;
}

/** First page of the kernel half; the user half has as many pages. */
export function kernelHalf(levels: PagingLevels): Vpn {
  return ((pagesPerEntry(levels) * entriesPerTable) / 2) as Vpn;
}

export function isKernelHalf(vpn: Vpn, levels: PagingLevels): boolean {
  return vpn >= kernelHalf(levels);
}

/** Every address that is canonical, as text. */
export function canonicalRanges(levels: PagingLevels, prefix = "0x"): string {
  const half = BigInt(kernelHalf(levels)) * 4096n;
  const text = (address: bigint) => `${prefix}${BigInt.asUintN(64, address).toString(16)}`;
  return `${text(0n)} to ${text(half - 1n)} and ${text(-half)} to ${text(-1n)}`;
}

/** The page and byte of a 64-bit address, or null when it is not canonical. */
export function gvaOf(address: bigint, levels: PagingLevels): Gva | null {
  const bits = addressBits(levels);
  const signed = BigInt.asIntN(64, address);
  if (BigInt.asIntN(bits, signed) !== signed) return null;
  const dropped = BigInt.asUintN(bits, signed);
  return { vpn: Number(dropped / 4096n) as Vpn, offset: Number(dropped % 4096n) };
}

/** A GVA from text, or the second half of a sentence that says why it is none. */
export function readGva(text: string, levels: PagingLevels): Gva | { readonly problem: string } {
  const [, prefix = "", digits] = /^\s*(0x)?0*([0-9a-f]+)\s*$/i.exec(text) ?? [];
  if (digits === undefined) return { problem: "must be hexadecimal, such as 0x400000" };
  const address = BigInt(`0x${digits}`);
  if (prefix === "" && /^\d{2,}$/.test(digits)) {
    const other = `0x${BigInt(digits).toString(16)}`;
    const problem = `may be decimal or hexadecimal: write 0x${digits}, or ${other} for decimal ${digits}`;
    return { problem };
  }
  const gva = digits.length > 16 ? null : gvaOf(address, levels);
  if (gva !== null) return gva;
  const isDeeper = levels < 5 && digits.length <= 16 && gvaOf(address, 5) !== null;
  const hint = isDeeper ? " (five guest levels reach it)" : "";
  const allowed = canonicalRanges(levels);
  return { problem: `is not canonical with ${levels} levels, allowed: ${allowed}${hint}` };
}
