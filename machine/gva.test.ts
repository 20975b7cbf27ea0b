import fc from "fast-check";
import { expect, test } from "vitest";
import { hexGva, type PagingLevels, type Vpn } from "./address.ts";
import { gvaOf, isKernelHalf, kernelHalf, readGva } from "./gva.ts";

const anyLevels = fc.constantFrom<PagingLevels>(4, 5);

// Planted and caught: hexGva sign-extending from bit 47 with five levels; the page number kept with its sign.
test("what a page number is printed as reads back as that page, signs included", () => {
  const place = anyLevels.chain((levels) =>
    fc.tuple(fc.constant(levels), fc.nat(2 * kernelHalf(levels) - 1), fc.nat(4095)),
  );
  fc.assert(
    fc.property(place, ([levels, page, offset]) => {
      const vpn = page as Vpn;
      const text = hexGva(vpn, offset, levels);
      expect(readGva(`0x${text}`, levels)).toEqual({ vpn, offset });
      expect(isKernelHalf(vpn, levels)).toBe(text.length === 16 && text.startsWith("ff"));
    }),
  );
});

test("an address is canonical exactly when its upper bits are equal", () => {
  fc.assert(
    fc.property(anyLevels, fc.bigInt(0n, 2n ** 64n - 1n), fc.nat(20), (levels, bits, shift) => {
      const address = BigInt.asUintN(64, BigInt.asIntN(64, bits) >> BigInt(shift));
      const upper = address >> (levels === 5 ? 56n : 47n);
      const ones = levels === 5 ? 2n ** 8n - 1n : 2n ** 17n - 1n;
      expect(gvaOf(address, levels) !== null).toBe(upper === 0n || upper === ones);
    }),
  );
});

test.each([
  ["0x0", 4, 0, 0],
  ["0", 4, 0, 0],
  ["0X400000", 4, 0x400, 0],
  [" 7ffd6f0a1b58\n", 4, 0x7_ffd6_f0a1, 0xb58],
  ["0x00000000000000000000400123", 4, 0x400, 0x123],
  ["0x7fffffffffff", 4, 0x7_ffff_ffff, 0xfff],
  ["0xffff800000000000", 4, 0x8_0000_0000, 0],
  ["0xffffffffffffffff", 4, 0xf_ffff_ffff, 0xfff],
  ["0xffffffffffffff", 5, 0xfff_ffff_ffff, 0xfff],
  ["0xff00000000000000", 5, 0x1000_0000_0000, 0],
] as const)("%j with %i levels is page %i, byte %i", (text, levels, vpn, offset) => {
  expect(readGva(text, levels)).toEqual({ vpn, offset });
});

test.each([
  ["", 4, "must be hexadecimal, such as 0x400000"],
  ["0x", 4, "must be hexadecimal"],
  ["-0x1000", 4, "must be hexadecimal"],
  ["0x12g", 4, "must be hexadecimal"],
  ["4194304", 4, "write 0x4194304, or 0x400000 for decimal 4194304"],
  [
    "0x800000000000",
    4,
    "is not canonical with 4 levels, allowed: 0x0 to 0x7fffffffffff and 0xffff800000000000 to " +
      "0xffffffffffffffff (five guest levels reach it)",
  ],
  ["0x8000000000000000", 4, "is not canonical with 4 levels, allowed: 0x0 to 0x7fffffffffff and"],
  ["0x100000000000000", 5, "allowed: 0x0 to 0xffffffffffffff and 0xff00000000000000 to"],
  ["0x10000000000000000", 5, "is not canonical with 5 levels"],
] as const)("%j with %i levels %s", (text, levels, problem) => {
  expect(readGva(text, levels)).toEqual({ problem: expect.stringContaining(problem) as string });
});
