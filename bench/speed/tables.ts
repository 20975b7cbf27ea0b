/**
 * The yardstick's memory: guest tables and EPT built frame by frame in the C program's order and places.
 *
 * Frames are handed out by a counter and scattered by an odd factor over 2^24 host frames, 2 MiB blocks from the
 * upper half; guest data starts at 4 GiB. So the checksum of translated frames can be compared too.
 */
import { indexAt, type Pfn, type Vpn } from "../../machine/address.ts";
import { asLarge, frameOf, freshPage, isPresent } from "../../machine/formats/x86-entry.ts";
import { PhysicalMemory } from "../../machine/memory.ts";

const hostFrames = 2 ** 24;

export interface YardstickShape {
  readonly nested: boolean;
  readonly pageSize: "4k" | "2m";
}

export interface YardstickTables {
  readonly memory: PhysicalMemory;
  /** Guest CR3: gfn when nested, else pfn. */
  readonly root: number;
  readonly eptRoot: Pfn;
  map(vpn: Vpn): void;
}

export function createTables({ nested, pageSize }: YardstickShape): YardstickTables {
  const memory = new PhysicalMemory({ guestFrames: hostFrames, tableFrames: 1 });
  const leafLevel = pageSize === "2m" ? 2 : 1;
  let hostNext = 1;
  let blockNext = 0;
  let tableGfn = 1;
  let dataGfn = 2 ** 20;

  const hostFrame = (): Pfn => {
    const pfn = (Math.imul(hostNext, 0x9e37_79b1) & (hostFrames - 1)) as Pfn;
    hostNext += 1;
    return pfn;
  };
  const hostBlock = (): Pfn => {
    const pfn = hostFrames / 2 + blockNext * 512;
    blockNext += 1;
    return pfn as Pfn;
  };

  /** Maps `page` in the tree at `root`; `table` and `leaf` provide frames, `place` says where a table lies. */
  function mapIn(
    root: number,
    page: number,
    frames: {
      readonly table: () => number;
      readonly leaf: () => number;
      readonly place: (f: number) => Pfn;
    },
  ): void {
    let table = frames.place(root);
    for (let level = 4; ; level--) {
      const index = indexAt(page, level);
      const low = memory.readLow(table, index);
      const isLeaf = level === leafLevel;
      if (!isPresent(low)) {
        const frame = isLeaf ? frames.leaf() : frames.table();
        memory.writeEntry(
          table,
          index,
          frame,
          isLeaf && level === 2 ? asLarge(freshPage) : freshPage,
        );
      }
      if (isLeaf) return;
      table = frames.place(frameOf(memory.readLow(table, index), memory.readHigh(table, index)));
    }
  }

  const eptRoot = hostFrame();
  memory.slot(eptRoot);
  const newLeaf = pageSize === "2m" ? hostBlock : hostFrame;
  const asIs = (frame: number): Pfn => frame as Pfn;
  const backGfn = (gfn: number): void => {
    mapIn(eptRoot, gfn, { table: hostFrame, leaf: newLeaf, place: asIs });
  };

  function hostOf(gfn: number): Pfn {
    if (!nested) return gfn as Pfn;
    let table = eptRoot;
    for (let level = 4; ; level--) {
      const index = indexAt(gfn, level);
      const frame = frameOf(memory.readLow(table, index), memory.readHigh(table, index));
      if (level === leafLevel) return (frame + (level === 2 ? gfn % 512 : 0)) as Pfn;
      table = frame as Pfn;
    }
  }

  function guestTable(): number {
    const gfn = tableGfn;
    tableGfn += 1;
    if (!nested) return hostFrame();
    backGfn(gfn);
    return gfn;
  }

  function guestLeaf(): number {
    if (!nested) return newLeaf();
    const span = leafLevel === 2 ? 512 : 1;
    dataGfn = Math.ceil(dataGfn / span) * span;
    const gfn = dataGfn;
    dataGfn += span;
    backGfn(gfn);
    return gfn;
  }

  const root = guestTable();
  return {
    memory,
    root,
    eptRoot,
    map: (vpn) => mapIn(root, vpn, { table: guestTable, leaf: guestLeaf, place: hostOf }),
  };
}
