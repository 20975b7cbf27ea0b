/**
 * VM function 0, EPTP switching: the guest takes another view of its memory by itself, from a list that its hypervisor made.
 *
 * The list is a page of 512 EPTPs. An index beyond it, an EPTP that is none, or no list: the guest exits.
 *
 * Model: views are of one depth, and all or none have A and D bits; an EPTP that says otherwise is none. Bias: none, as no
 * hypervisor here makes such.
 *
 * Model: VM functions are enabled under every hypervisor, so what has no list exits where silicon may raise #UD. Bias: none.
 *
 * Source: SDM vol. 3C 26.5.6.3 "EPTP Switching", 25.6.11 "Extended-Page-Table Pointer (EPTP)".
 */
import { entriesPerTable, type Pfn } from "./address.ts";
import type { Controls } from "./controls.ts";
import { frameOf } from "./formats/x86-entry.ts";
import type { PhysicalMemory } from "./memory.ts";
import { inView, type Stage } from "./stages.ts";

const writeBack = 6;
const usesMarks = 1 << 6;

/** Flags of an EPTP to tables that are walked as `stage` is, to go beside its root's frame. */
export function eptPointerFlags({ shape, marks }: Stage): number {
  return writeBack | ((shape.levels - 1) << 3) | (marks ? usesMarks : 0);
}

/** The root at `index` of the list, or null: VMFUNC exits. */
export function viewAt(controls: Controls, memory: PhysicalMemory, index: number): Pfn | null {
  const { eptpList } = controls;
  if (eptpList === null || index < 0 || index >= entriesPerTable) return null;
  const low = memory.readLow(eptpList, index);
  if ((low & 0xfff) !== eptPointerFlags(controls.stages(4).at(-1)!)) return null;
  const root = frameOf(low, memory.readHigh(eptpList, index));
  return root < memory.frames ? (root as Pfn) : null;
}

/** The control fields once silicon has written the EPTP of another view there. */
export function controlsIn(controls: Controls, root: Pfn): Controls {
  return { ...controls, stages: (levels) => inView(controls.stages(levels), root) };
}
