import fc from "fast-check";
import { expect, test } from "vitest";
import type { PagingLevels, Vpn } from "../machine/address.ts";
import { isKernelHalf, kernelHalf } from "../machine/gva.ts";
import { type AnyPage, mapAnyPage, pageKind, pageProblem } from "./any-page.ts";
import { kernelLayout, userLayout } from "./layout.ts";
import { mappingOf, testGuest } from "./test-guest.ts";

const { image: imageVpn, stackEnd } = userLayout(4);

/** Pages at every border of the address space, and one on each side of it. */
function borders(levels: PagingLevels): Vpn[] {
  const { directMap, entryArea, text } = kernelLayout(levels);
  const half = kernelHalf(levels);
  const at = [0, imageVpn, stackEnd, kernelHalf(4), half, directMap, entryArea, text, 2 * half];
  const around = at.flatMap((vpn) => [vpn - 512, vpn - 1, vpn, vpn + 1, vpn + 3, vpn + 512]);
  return [...new Set(around)].filter((vpn) => vpn >= 0 && vpn < 2 * half) as Vpn[];
}

const anyPage = fc.constantFrom<PagingLevels>(4, 5).chain((levels) =>
  fc.record({
    levels: fc.constant(levels),
    pages: fc.constantFrom("4k" as const, "2m" as const),
    count: fc.constantFrom(1 as const, 2 as const),
    vpn: fc.oneof(
      fc.constantFrom(...borders(levels)),
      fc.nat(2 * kernelHalf(levels) - 1).map((vpn) => vpn as Vpn),
    ),
  }),
);

// Every access is checked against the tables in memory: see test-guest.ts. Planted and caught: page 0 and all above
// imageVpn refused as before; the new top-level entry left out of the process's root; a split that drops NX.
test("a page anywhere in the canonical space is mapped at its size and can be used", () => {
  fc.assert(
    fc.property(anyPage, (page) => {
      if (pageProblem(page) !== undefined) return;
      const { guest, vcpu, memory } = testGuest({ levels: page.levels });
      const before = mappingOf(vcpu, memory, page.vpn);
      const user = mapAnyPage(guest, vcpu, page);
      user.write(page.vpn, 8);
      user.read(page.vpn, 0xfff);
      guest.syscall();
      vcpu.drain();
      const mapping = mappingOf(vcpu, memory, page.vpn);
      const isKernel = isKernelHalf(page.vpn, page.levels);
      expect(mapping).toMatchObject({ level: page.pages === "2m" ? 2 : 1, user: !isKernel });
      // What the kernel has stays where it is, with the same rights.
      if (isKernel && before !== null)
        expect({ ...before, level: mapping?.level }).toEqual(mapping);
      if (pageKind(page) === "direct map" && before !== null)
        expect(mapping?.pfn).toBe(page.vpn - kernelLayout(page.levels).directMap);
    }),
    { numRuns: 300 },
  );
});

test("a kernel page that one process asked for is there in every other", () => {
  const { guest, vcpu } = testGuest();
  const child = guest.fork();
  const page: AnyPage = { vpn: 0xf_0000_0000 as Vpn, levels: 4, pages: "4k", count: 1 };
  const user = mapAnyPage(guest, vcpu, page);
  user.write(page.vpn, 0);
  guest.switchTo(child);
  user.read(page.vpn, 0);
  const grandchild = guest.fork();
  guest.switchTo(grandchild);
  expect(() => user.write(page.vpn, 0)).not.toThrow();
});
