/**
 * The tables that silicon walks, read as it would read them, for frames that a guest could store into.
 *
 * Looked at when the host has acted and when a run ends; what a TLB holds is judged when it is used.
 */
import { pagesPerEntry, type Pfn } from "../../machine/address.ts";
import { frameOf, P, PS, U, W } from "../../machine/entry.ts";
import type { Controls } from "../../machine/controls.ts";
import type { Stage } from "../../machine/stages.ts";
import { type PhysicalMemory, slotShift } from "../../machine/memory.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

const present = P | W | U;
/** Bit 58: two levels in one. */
const foldHigh = 0x0400_0000;

export class HardwareTables {
  private readonly memory: PhysicalMemory;
  private controls: Controls | null = null;
  private root = 0;

  /** Notes from now on what the hypervisor loads into `vcpu`. */
  constructor(vcpu: Vcpu) {
    this.memory = vcpu.memory;
    const setControls = vcpu.setControls.bind(vcpu);
    const setHardwareRoot = vcpu.setHardwareRoot.bind(vcpu);
    vcpu.setControls = (controls) => {
      this.controls = controls;
      setControls(controls);
    };
    vcpu.setHardwareRoot = (frame, pcid) => {
      this.root = frame;
      setHardwareRoot(frame, pcid);
    };
  }

  /** Calls `visit` for every 4 KiB frame that some leaf lets the guest store into. */
  forEachWritable(visit: (pfn: Pfn) => void): void {
    const { controls } = this;
    if (controls === null || !controls.virtualized) return;
    const { stages, walk } = controls;
    const last = stages(walk?.levels ?? 4).at(-1)!;
    const isNested = last.root !== null;
    // Neither: bare metal.
    if (!isNested && walk === null) return;
    if (isNested && walk !== null) {
      this.scanThrough(last, this.root as Pfn, walk.levels, visit);
      return;
    }
    const { levels, rootExtraBits } = last.shape;
    this.scanAll({ first: last.root ?? this.root, frames: 2 ** rootExtraBits }, levels, visit);
  }

  /** Shadow tables that lie in memory which nested tables map: those of a hypervisor in a guest. */
  private scanThrough(nested: Stage, root: Pfn, levels: number, visit: (pfn: Pfn) => void): void {
    const writable = new Map<number, Pfn>();
    const tables = new Map<number, Pfn>();
    this.leaves(nested.root!, nested.shape.levels, 0, (page, pfn, low) => {
      tables.set(page, pfn);
      if ((low & W) !== 0) writable.set(page, pfn);
    });
    this.scan(
      root,
      levels,
      (frame) => {
        const pfn = writable.get(frame);
        if (pfn !== undefined) visit(pfn);
      },
      (frame) => tables.get(frame),
    );
  }

  /** Calls `visit` for every 4 KiB page that the tree maps. */
  private leaves(
    table: Pfn,
    level: number,
    first: number,
    visit: (page: number, pfn: Pfn, low: number) => void,
  ): void {
    for (let index = 0; index < 512; index++) {
      const low = this.memory.readLow(table, index);
      if ((low & present) === 0) continue;
      const frame = frameOf(low, this.memory.readHigh(table, index));
      const page = first + index * pagesPerEntry(level);
      if (level > 1 && (low & PS) === 0) this.leaves(frame as Pfn, level - 1, page, visit);
      else for (let i = 0; i < pagesPerEntry(level); i++) visit(page + i, (frame + i) as Pfn, low);
    }
  }

  /** Tables that lie one after another. `placeOf`: where in host memory a table lies. */
  private scanAll(
    { first, frames }: { readonly first: number; readonly frames: number },
    level: number,
    visit: (pfn: Pfn) => void,
    placeOf?: (table: Pfn) => Pfn | undefined,
  ): void {
    for (let i = 0; i < frames; i++) this.scan((first + i) as Pfn, level, visit, placeOf);
  }

  private scan(
    table: Pfn,
    level: number,
    visit: (pfn: Pfn) => void,
    placeOf: (table: Pfn) => Pfn | undefined = (frame) => frame,
  ): void {
    const { words, slotOf } = this.memory;
    const place = placeOf(table);
    const first = place === undefined ? 0 : slotOf[place]! << slotShift;
    if (first === 0) return;
    for (let word = first; word < first + (1 << slotShift); word += 2) {
      const low = words[word]!;
      // The flags of a present entry have the same place in both formats, and W does too.
      if ((low & present) === 0) continue;
      const frame = frameOf(low, words[word + 1]!);
      const isFolded = (words[word + 1]! & foldHigh) !== 0;
      if (level > 1 && (low & PS) === 0) {
        const below = { first: frame, frames: isFolded ? 512 : 1 };
        this.scanAll(below, isFolded ? level - 2 : level - 1, visit, placeOf);
      } else if ((low & W) !== 0) {
        for (let i = 0; i < pagesPerEntry(level); i++) visit((frame + i) as Pfn);
      }
    }
  }
}
