/** The interrupts of a small machine's device, remapped by its host's Linux: for scenarios and tests. */
import { IntelIommu } from "../linux/iommu/intel.ts";
import { InterruptTable } from "../linux/iommu/interrupts.ts";
import { PostedDescriptor } from "../machine/iommu/interrupts.ts";
import { TrappedMsixTable } from "./msix-table.ts";
import { smallMachine } from "./small-machine.ts";

/** Whose interrupts they are. */
export const source = 0x0100;

export function smallInterrupts() {
  const { machine } = smallMachine("pinned");
  const { hostTables } = machine;
  const iommu = new IntelIommu(machine.iommu, hostTables);
  const table = new InterruptTable(machine.iommu, hostTables, iommu.submitter);
  const descriptor = new PostedDescriptor(hostTables, hostTables.allocateFrame(), 7);
  const submissions = (body: () => void) => {
    const before = machine.iommu.counts.ledger.tailWrites;
    body();
    return machine.iommu.counts.ledger.tailWrites - before;
  };
  return { machine, iommu, table, descriptor, submissions };
}

/** A guest's MSI-X table there, and its kernel that writes a message as Linux does: masked, address, data, unmasked. */
export function smallMsix(canPost: boolean) {
  const { machine, table, descriptor, submissions } = smallInterrupts();
  const trapped = new TrappedMsixTable({
    source,
    vectors: 4,
    table,
    remapper: machine.iommu.interrupts,
    descriptorOf: () => (canPost ? descriptor.frame : null),
  });
  const write = (index: number, vector: number, destination: number) => {
    trapped.store(index, "control", 1);
    trapped.store(index, "addressLow", 0xfee0_0000 | (destination << 12));
    trapped.store(index, "addressHigh", 0);
    trapped.store(index, "data", vector);
    trapped.store(index, "control", 0);
  };
  return { trapped, write, submissions, descriptor, machine };
}
