import fc from "fast-check";
import { expect, test } from "vitest";
import type { Gfn, Pfn } from "../../machine/address.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import { type HostRights, HostTable } from "./table.ts";

interface Page {
  readonly pfn: Pfn;
  readonly rights: HostRights;
  readonly order: 0 | 9;
}

/** Three large pages, the last of which shares its places in the TLB with the first. */
const blocks = [0, 512, 16_384];
const gfns = fc
  .tuple(fc.constantFrom(...blocks), fc.constantFrom(0, 1, 511))
  .map(([block, page]) => (block + page) as Gfn);

const operation = fc.record({
  kind: fc.constantFrom("map", "mapLarge", "unmap", "setRights", "split", "none"),
  gfn: gfns,
  pfn: fc.nat(7).map((block) => (block * 512) as Pfn),
  rights: fc.constantFrom<HostRights>("read", "read-write"),
});

/** The host table as a list of pages; a host page may be large. */
class Model {
  readonly pages = new Map<Gfn, Page>();

  /** The 4 KiB pages of the host page around `gfn`. */
  around(gfn: Gfn): Gfn[] {
    if (this.pages.get(gfn)?.order !== 9) return [gfn];
    const first = gfn - (gfn % 512);
    return Array.from({ length: 512 }, (_, i) => (first + i) as Gfn);
  }

  change(gfn: Gfn, change: Partial<Page>): void {
    for (const each of this.around(gfn)) {
      const page = this.pages.get(each);
      if (page !== undefined) this.pages.set(each, { ...page, ...change });
    }
  }

  /** Nothing but 4 KiB pages stands in the way of a large one: the table would have to be freed. */
  hasTable(gfn: Gfn, made: ReadonlySet<number>): boolean {
    return made.has(Math.floor(gfn / 512)) && this.pages.get(gfn)?.order !== 9;
  }
}

// Seen failing without `invalidate` in each of map, mapLarge, unmap, setRights and split, and with `invalidate` of one
// page for a large one.
test("the table says what was mapped last, however often it is asked in between", () => {
  const lists = fc.array(operation, { size: "max", maxLength: 60 });
  const run = fc.property(lists, (operations) => {
    const table = new HostTable(new PhysicalMemory({ guestFrames: 32_768, tableFrames: 64 }));
    const model = new Model();
    const tables = new Set<number>();
    for (const { kind, gfn, pfn, rights } of operations) {
      const block = Math.floor(gfn / 512);
      const known = model.pages.get(gfn);
      if (kind === "map" && known?.order !== 9) {
        table.map(gfn, pfn, rights);
        model.pages.set(gfn, { pfn, rights, order: 0 });
        tables.add(block);
      } else if (kind === "mapLarge" && !model.hasTable(gfn, tables)) {
        const first = (block * 512) as Gfn;
        table.mapLarge(first, pfn, rights);
        for (let i = 0; i < 512; i++)
          model.pages.set((first + i) as Gfn, { pfn: (pfn + i) as Pfn, rights, order: 9 });
      } else if (kind === "unmap" && known !== undefined) {
        table.unmap(gfn);
        model.change(gfn, { order: 0 });
        model.pages.delete(gfn);
        tables.add(block);
      } else if (kind === "setRights" && known !== undefined) {
        table.setRights(gfn, rights);
        model.change(gfn, { rights });
      } else if (kind === "split" && known?.order === 9) {
        table.split(gfn);
        model.change(gfn, { order: 0 });
        tables.add(block);
      }
      for (const first of blocks) {
        for (const page of [0, 1, 511]) {
          const asked = (first + page) as Gfn;
          const expected = model.pages.get(asked);
          expect(table.pfnOf(asked)).toBe(expected?.pfn ?? -1);
          expect(table.orderOf(asked)).toBe(expected?.order ?? 0);
          expect(table.isWritable(asked)).toBe(expected?.rights === "read-write");
        }
      }
    }
  });
  fc.assert(run);
});
