/**
 * Linux's interrupt remapping: an entry per message, changed in memory and then told to the IOMMU's cache.
 *
 * Source: Linux 6.1 drivers/iommu/intel/irq_remapping.c `modify_irte`, `clear_entries`, `qi_flush_iec`. Measured: an MSI costs 2
 * submissions to set up (allocation, activation) and 2 to take down.
 */
import { type InterruptEntry, writeInterruptEntry } from "../../machine/iommu/interrupts.ts";
import type { IommuPort } from "../../machine/iommu/registers.ts";
import type { InvalidationSubmitter } from "./invalidation.ts";
import type { TableMemory } from "./table-memory.ts";

export class InterruptTable {
  private readonly memory: TableMemory;
  private readonly submitter: InvalidationSubmitter;
  private readonly frame: number;
  private readonly free: number[] = [];
  private next = 0;

  constructor(port: IommuPort, memory: TableMemory, submitter: InvalidationSubmitter) {
    this.memory = memory;
    this.submitter = submitter;
    this.frame = memory.allocateFrame();
    port.write("IRTA", this.frame);
    submitter.submit({ kind: "interrupt-entry", index: null, mask: 0 });
  }

  /** An entry for a message of a device; its index. */
  allocate(entry: InterruptEntry): number {
    const index = this.free.pop() ?? this.next++;
    // Reserved first, with what is not known yet; then activated.
    this.modify(index, null);
    this.modify(index, entry);
    return index;
  }

  /** Another vector, another processor, a descriptor: one store and one submission. */
  modify(index: number, entry: InterruptEntry | null): void {
    writeInterruptEntry(this.memory, this.frame, index, entry);
    this.submitter.submit({ kind: "interrupt-entry", index, mask: 0 });
  }

  release(index: number): void {
    // Deactivated, then freed.
    this.modify(index, null);
    this.modify(index, null);
    this.free.push(index);
  }
}
