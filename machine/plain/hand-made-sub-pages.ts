/** A table of sub-page permissions written by hand, for tests of silicon. */
import type { Pfn } from "../address.ts";
import { SPP_VALID, sppt, vectorOf } from "../formats/sub-pages.ts";
import type { PhysicalMemory } from "../memory.ts";
import { Tables } from "./hand-made-tables.ts";

const path = { shape: { levels: 4, rootExtraBits: 0 }, link: SPP_VALID, leaf: 0 };

export class SubPages {
  readonly root: Pfn;
  private readonly memory: PhysicalMemory;
  private readonly tables: Tables;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
    this.root = memory.allocateTable();
    this.tables = new Tables(sppt, this.root, {
      memory,
      allocate: () => memory.allocateTable(),
      place: (frame) => frame as Pfn,
    });
  }

  /** Writes the vector of a guest frame (the lines that may be written, a bit each), or spoils the entry at `level`. */
  set(gfn: number, level: number, value: "vector" | "miss" | "malformed", lines: number): void {
    const { memory } = this;
    const table = this.tables.map(gfn, 0, path).at(-level)! as Pfn;
    const index = Math.floor(gfn / 512 ** (level - 1)) % 512;
    if (value === "vector") {
      const leaf = this.tables.map(gfn, 0, path).at(-1)! as Pfn;
      memory.write(leaf, gfn % 512, ...vectorOf(lines));
    } else if (value === "miss") {
      memory.setLow(table, index, memory.readLow(table, index) & ~SPP_VALID);
    } else {
      const [low, high] = [memory.readLow(table, index), memory.readHigh(table, index)];
      memory.write(
        table,
        index,
        low | (lines % 2 === 0 ? 2 : 0),
        high | (lines % 2 === 0 ? 0 : -0x8000_0000),
      );
    }
  }
}
