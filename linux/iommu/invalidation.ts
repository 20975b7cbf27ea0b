/**
 * How Linux submits to the invalidation queue: descriptors, then a wait, one write of the tail, then it spins on the
 * status word in memory.
 *
 * Source: Linux 6.1 drivers/iommu/intel/dmar.c `qi_submit_sync`, iommu.c `iommu_flush_iotlb_psi`.
 */
import { assert } from "../../machine/assert.ts";
import { encode, type Invalidation } from "../../machine/iommu/descriptors.ts";
import { ringLength } from "../../machine/iommu/ring.ts";
import type { IommuPort } from "../../machine/iommu/registers.ts";
import type { TableMemory } from "./table-memory.ts";

const DONE = 2;

export class InvalidationSubmitter {
  private readonly port: IommuPort;
  private readonly memory: TableMemory;
  private readonly ring: number;
  private readonly status: number;
  private next = 0;

  constructor(port: IommuPort, memory: TableMemory) {
    this.port = port;
    this.memory = memory;
    this.ring = memory.allocateFrame();
    this.status = memory.allocateFrame();
    port.write("IQA", this.ring);
  }

  /** These and a wait behind them: returns when all are done. */
  submit(...what: Invalidation[]): void {
    const { port, memory, status } = this;
    for (const one of what) this.append(one);
    const index = this.next;
    memory.write(status, index, 0, 0);
    this.append({ kind: "wait", frame: status, index, value: DONE });
    port.write("IQT", this.next);
    assert(memory.readLow(status, index) === DONE, "invalidation queue: the wait was not done");
  }

  private append(what: Invalidation): void {
    const [a, b, c, d] = encode(what);
    this.memory.write(this.ring, 2 * this.next, a, b);
    this.memory.write(this.ring, 2 * this.next + 1, c, d);
    this.next = (this.next + 1) % ringLength;
  }
}

/**
 * What invalidates [page, page + pages): a page-selective descriptor whose mask covers it, or the whole domain when no
 * mask does. Silicon ignores address bits below the mask, so a base that is not aligned takes a larger one.
 */
export function rangeInvalidation(
  domain: number,
  { page, pages, leavesOnly }: { page: number; pages: number; leavesOnly: boolean },
  maskMax: number,
): Invalidation {
  let mask = Math.ceil(Math.log2(pages));
  const last = page + pages - 1;
  // Carries may change bits above the mask: the lowest bit above all that differ.
  while (Math.floor(page / 2 ** mask) !== Math.floor(last / 2 ** mask)) mask += 1;
  if (mask > maskMax) {
    return { kind: "iotlb", scope: "domain", domain, page: 0, mask: 0, leavesOnly: false };
  }
  return { kind: "iotlb", scope: "page", domain, page, mask, leavesOnly };
}
