/**
 * The tables that silicon walks, read as it would read them, for frames that a guest could store into.
 *
 * Looked at when the host has acted and when a run ends; what a TLB holds is judged when it is used.
 */
import { indexAt, pagesPerEntry, type Pfn } from "../../machine/address.ts";
import { frameOf, isLarge, isPresent, isWritable } from "../../machine/formats/x86-entry.ts";
import { x86 } from "../../machine/formats/x86.ts";
import type { Stage } from "../../machine/stages.ts";
import { type PhysicalMemory, slotShift } from "../../machine/memory.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

/** Bit 58: two levels in one. */
const foldHigh = 0x0400_0000;

export class HardwareTables {
  private readonly vcpu: Vcpu;
  private readonly memory: PhysicalMemory;
  private switchBit = 0;

  constructor(vcpu: Vcpu) {
    this.vcpu = vcpu;
    this.memory = vcpu.memory;
  }

  /** Calls `visit` for every 4 KiB frame that some leaf lets the guest store into. */
  forEachWritable(visit: (pfn: Pfn) => void): void {
    this.forEach((pfn, low) => {
      if (isWritable(low)) visit(pfn);
    });
  }

  /** The same for every frame that a leaf maps, with the flags of the way there. */
  forEach(visit: Visit): void {
    const { stages, walk, virtualized } = this.vcpu.controls;
    if (!virtualized) return;
    const loaded = this.vcpu.mmu.loadedRoot();
    const list = stages(walk?.levels ?? 4);
    this.switchBit = list[0]!.switchBit;
    const last = list.at(-1)!;
    if (list[0]!.through !== null && walk !== null && last.root !== null) {
      this.scanThrough(last, walk.levels, visit);
      return;
    }
    for (const { through, root, shape, format } of list) {
      // The guest's own tables lead on through others; a root that is the guest's own is one of them.
      const isShadow =
        through === null && root === null && walk !== null && loaded.isSwitched !== true;
      if (root !== null || isShadow) {
        this.scan(root ?? (loaded.frame as Pfn), { shape, format }, visit);
      }
    }
  }

  /** The leaf of a shadow for a page: its frame, and the flags that all levels share; null where none is, or no shadow. */
  shadowLeaf(
    vpn: number,
  ): { readonly pfn: number; readonly flags: number; readonly nx: boolean } | null {
    const levels = this.vcpu.controls.walk?.levels;
    if (levels === undefined) return null;
    let table = this.vcpu.mmu.loadedRoot().frame;
    let flags = ~0;
    let highs = 0;
    for (let level: number = levels; level >= 1; level--) {
      const index = indexAt(vpn, level);
      const low = this.memory.readLow(table as Pfn, index);
      const high = this.memory.readHigh(table as Pfn, index);
      if (!isPresent(low)) return null;
      flags &= low;
      highs |= high;
      table = frameOf(low, high);
      if (level > 1 && !isLarge(low)) continue;
      const inside = vpn % pagesPerEntry(level);
      return { pfn: table - (table % pagesPerEntry(level)) + inside, flags, nx: highs < 0 };
    }
    return null;
  }

  /** Shadow tables that lie in memory which nested tables map: those of a hypervisor in a guest. */
  private scanThrough(nested: Stage, levels: number, visit: Visit): void {
    const below = new Map<number, { readonly pfn: Pfn; readonly low: number }>();
    this.scan(nested.root!, nested, (pfn, low, page) => below.set(page, { pfn, low }));
    const visitBoth: Visit = (frame, low, page) => {
      const mapped = below.get(frame);
      if (mapped !== undefined) visit(mapped.pfn, low & mapped.low, page);
    };
    this.scan(
      this.vcpu.mmu.loadedRoot().frame as Pfn,
      { shape: { levels, rootExtraBits: 0 }, format: x86 },
      visitBoth,
      (table) => below.get(table)?.pfn,
    );
  }

  /** `placeOf`: where in host memory a table lies, if it does. */
  private scan(root: Pfn, { shape, format }: Tables, visit: Visit, placeOf = here): void {
    const { words, slotOf } = this.memory;
    const { levels, rootExtraBits } = shape;
    const below = (table: Pfn, level: number, firstPage: number): void => {
      const place = placeOf(table);
      const first = place === undefined ? 0 : slotOf[place]! << slotShift;
      if (first === 0) return;
      const pages = pagesPerEntry(level);
      for (let index = 0; index < 512; index++) {
        const low = words[first + 2 * index]!;
        if ((low & format.link) === 0 || format.isMalformed(low)) continue;
        const high = words[first + 2 * index + 1]!;
        const frame = format.frameOf(low, high);
        const page = firstPage + index * pages;
        if (format.isLeaf(level, low)) {
          // Of a present entry x86-64, EPT and NPT have these flags in one place: P or R, W, U or X.
          const flags = format.linksArePlain ? format.rightsOf(low, high) : low;
          for (let i = 0; i < pages; i++) visit((frame + i) as Pfn, flags, page + i);
          // What is behind the switch bit are guest frames, which the nested tables know.
        } else if ((low & this.switchBit) !== 0) continue;
        else if ((high & foldHigh) === 0) below(frame as Pfn, level - 1, page);
        else {
          const piece = pagesPerEntry(level - 1);
          for (let i = 0; i < 512; i++) below((frame + i) as Pfn, level - 2, page + i * piece);
        }
      }
    };
    const span = 512 * pagesPerEntry(levels);
    for (let i = 0; i < 2 ** rootExtraBits; i++) below((root + i) as Pfn, levels, i * span);
  }
}

type Tables = Pick<Stage, "shape" | "format">;

/** A frame that is mapped, flags of its leaf, and the page that it is mapped at. */
type Visit = (pfn: Pfn, low: number, page: number) => void;

const here = (table: Pfn): Pfn | undefined => table;
