/** Which view of its memory a guest has, read off the list that its hypervisor made. */
import { entriesPerTable } from "../../machine/address.ts";
import type { Vcpu } from "../../machine/vcpu.ts";

/** The index of the tables that silicon walks now; -1 where there is no list. */
export function viewOf({ controls, memory }: Vcpu): number {
  const { eptpList } = controls;
  if (eptpList === null) return -1;
  const { root, format } = controls.stages(4).at(-1)!;
  for (let index = 0; index < entriesPerTable; index++) {
    const low = memory.readLow(eptpList, index);
    if (low !== 0 && format.frameOf(low, memory.readHigh(eptpList, index)) === root) return index;
  }
  return -1;
}
