/**
 * Page-modification logging: silicon appends the GPA of each page whose D bit it sets to a 512-entry buffer.
 *
 * Buys: at most one exit per 512 dirtied pages, and none when other exits drain the buffer first. Pays: D bits
 * must be cleared and flushed after each question, and a guest table that the walker marks is logged too.
 *
 * Source: SDM vol. 3C 29.3.6 "Page-Modification Logging"; KVM `vmx_flush_pml_buffer` (drains at every exit),
 * `kvm_arch_sync_dirty_log` (kicks every vCPU before the log is read).
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { entriesPerTable } from "../../machine/address.ts";
import { frameOf } from "../../machine/formats/x86-entry.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { FrameMemory } from "../platform.ts";
import { interruptVcpus } from "../flush.ts";
import type { Mark, WriteDetector } from "./write-detector.ts";

export function pageModificationLog(memory: FrameMemory): WriteDetector {
  const buffers = new Map<number, Pfn>();
  let isOn = false;

  /** Empties a vCPU's buffer. Entries above the index are filled, the highest is the oldest. */
  function drain(vcpu: VirtualCpu, mark: Mark): void {
    const buffer = buffers.get(vcpu.id);
    if (!isOn || buffer === undefined) return;
    const index = vcpu.mmu.pmlIndex();
    if (index === entriesPerTable - 1) return;
    vcpu.ledger.pmlDrains += 1;
    for (let at = entriesPerTable - 1; at > index; at--) {
      mark(frameOf(memory.readLow(buffer, at), memory.readHigh(buffer, at)) as Gfn, vcpu);
    }
    vcpu.mmu.resetPml();
  }

  return {
    armsByProtection: false,
    pagesPerExitMax: entriesPerTable,
    begin(tables) {
      isOn = true;
      for (const { id, mmu } of tables.vcpus) {
        if (!buffers.has(id)) buffers.set(id, memory.allocateTable());
        mmu.resetPml();
      }
      tables.setPml(buffers);
    },
    end(tables) {
      tables.setPml(null);
      isOn = false;
    },
    arm: (tables, gfn) => tables.clearDirty(gfn),
    sync(tables, mark) {
      interruptVcpus(tables.vcpus, null);
      for (const vcpu of tables.vcpus) drain(vcpu, mark);
    },
    scan() {},
    exited: drain,
    // The buffer has it already: an entry outlives its leaf.
    unmapping() {},
  };
}
