/**
 * For tests: Linux's driver over an emulated IOMMU that no device is behind, and what it was sent.
 */
import type { Pfn } from "../../machine/address.ts";
import { IommuCounts, iommuDifference } from "../../machine/iommu/counters.ts";
import type { Invalidation } from "../../machine/iommu/descriptors.ts";
import { invalidationQueue } from "../../machine/iommu/queue.ts";
import type { IommuCapabilities, IommuPort } from "../../machine/iommu/registers.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import { IntelIommu } from "./intel.ts";
import type { TableMemory } from "./table-memory.ts";

const plainCapabilities: IommuCapabilities = {
  cachingMode: false,
  largeLevels: [2, 3],
  maskMax: 18,
  levels: 3,
  writeBufferFlush: false,
  coherent: true,
};

/** All of a physical memory's table frames, for a driver. */
function tableMemory(memory: PhysicalMemory): TableMemory & { inUse: number } {
  return {
    inUse: 0,
    readLow: (frame, index) => memory.readLow(frame as Pfn, index),
    readHigh: (frame, index) => memory.readHigh(frame as Pfn, index),
    write: (frame, index, low, high) => memory.write(frame as Pfn, index, low, high),
    allocateFrame() {
      this.inUse += 1;
      return memory.allocateTable();
    },
    freeFrame(frame) {
      this.inUse -= 1;
      memory.freeTable(frame as Pfn);
    },
  };
}

export function testDriver(capabilities: Partial<IommuCapabilities> = {}) {
  const memory = tableMemory(new PhysicalMemory({ guestFrames: 0, tableFrames: 8192 }));
  const counts = new IommuCounts();
  const sent: Invalidation[] = [];
  const queue = invalidationQueue(memory, counts, (what) => sent.push(what));
  const port: IommuPort = {
    capabilities: { ...plainCapabilities, ...capabilities },
    write(register, value) {
      if (register === "IQT") queue.writeTail(value);
      else counts.ledger.otherRegisters += 1;
      if (register === "IQA") queue.setBase(value);
    },
  };
  const iommu = new IntelIommu(port, memory);
  /** What `body` costs: submissions and the invalidations in them. */
  const cost = (body: () => void) => {
    const before = { ...counts.ledger };
    sent.length = 0;
    body();
    const { tailWrites, otherRegisters } = iommuDifference(counts.ledger, before);
    return { exits: tailWrites, otherRegisters, sent: [...sent] };
  };
  return { iommu, memory, cost };
}
