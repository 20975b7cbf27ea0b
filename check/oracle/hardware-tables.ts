/**
 * The tables that silicon walks, read as it would read them, for frames that a guest could store into.
 *
 * Looked at when the host has acted and when a run ends; what a TLB holds is judged when it is used.
 */
import { pagesPerEntry, type Pfn } from "../../machine/address.ts";
import { frameOf, P, PS, U, W } from "../../machine/entry.ts";
import type { Controls } from "../../machine/controls.ts";
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
    const { levels, rootExtraBits } = last.shape;
    this.scanAll({ first: last.root ?? this.root, frames: 2 ** rootExtraBits }, levels, visit);
  }

  /** Tables that lie one after another. */
  private scanAll(
    { first, frames }: { readonly first: number; readonly frames: number },
    level: number,
    visit: (pfn: Pfn) => void,
  ): void {
    for (let i = 0; i < frames; i++) this.scan((first + i) as Pfn, level, visit);
  }

  private scan(table: Pfn, level: number, visit: (pfn: Pfn) => void): void {
    const { words, slotOf } = this.memory;
    const first = slotOf[table]! << slotShift;
    if (first === 0) return;
    for (let word = first; word < first + (1 << slotShift); word += 2) {
      const low = words[word]!;
      // The flags of a present entry have the same place in both formats, and W does too.
      if ((low & present) === 0) continue;
      const frame = frameOf(low, words[word + 1]!);
      const isFolded = (words[word + 1]! & foldHigh) !== 0;
      if (level > 1 && (low & PS) === 0) {
        const frames = isFolded ? 512 : 1;
        this.scanAll({ first: frame, frames }, isFolded ? level - 2 : level - 1, visit);
      } else if ((low & W) !== 0) {
        for (let i = 0; i < pagesPerEntry(level); i++) visit((frame + i) as Pfn);
      }
    }
  }
}
