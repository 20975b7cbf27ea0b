/**
 * AMD's command buffer: commands of 16 bytes in a ring of one page, a tail register that software writes after each. Silicon
 * takes them off it, or what a hypervisor emulates, where each write of the tail is an exit.
 *
 * Model: commands take no time. Bias: none in counts; software that waits finds that it is done.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) specification 2.4 "Commands"; Linux 6.1 drivers/iommu/amd/iommu.c
 * `build_inv_iommu_pages`, `build_completion_wait`.
 */
import { assert } from "../../assert.ts";
import type { IommuCounts } from "../counters.ts";
import type { QueueMemory } from "../queue-memory.ts";
import { DescriptorRing, type DescriptorWords } from "../ring.ts";

export type AmdCommand =
  | {
      readonly kind: "wait";
      readonly frame: number;
      readonly index: number;
      readonly value: number;
    }
  | { readonly kind: "device"; readonly source: number }
  /** 2^`order` pages from `page` on, aligned to as many. `tables` (PDE): what is cached of tables above them too. */
  | {
      readonly kind: "pages";
      readonly domain: number;
      readonly page: number;
      readonly order: number;
      readonly tables: boolean;
    }
  /** The same of what a device's own TLB has. */
  | {
      readonly kind: "device-tlb";
      readonly source: number;
      readonly page: number;
      readonly order: number;
    };

/** What is done with commands as they are taken. */
export interface CommandHooks {
  /** For each but waits, in order. */
  readonly perform: (what: AmdCommand) => void;
  /** Before a wait says that what came before it is done. */
  readonly beforeWait: () => void;
}

/** Order of a range that is all of a domain: more pages than any address has bits for. */
export const everyPage = 51;

const COMPLETION_WAIT = 1;
const INVALIDATE_DEVICE = 2;
const INVALIDATE_PAGES = 3;
const INVALIDATE_IOTLB_PAGES = 4;
const STORE = 1;
const SIZE = 1;
const PDE = 2;

export function encodeCommand(what: AmdCommand): DescriptorWords {
  switch (what.kind) {
    case "wait": {
      const high = Math.floor(what.frame / 0x10_0000);
      return [
        (what.frame << 12) | (what.index << 3) | STORE,
        high | (COMPLETION_WAIT << 28),
        what.value,
        0,
      ];
    }
    case "device":
      return [what.source, INVALIDATE_DEVICE << 28, 0, 0];
    case "pages": {
      const [low, high] = encodeRange(what);
      return [0, what.domain | (INVALIDATE_PAGES << 28), low | (what.tables ? PDE : 0), high];
    }
    case "device-tlb": {
      const { source } = what;
      return [source, source | (INVALIDATE_IOTLB_PAGES << 28), ...encodeRange(what)];
    }
  }
}

interface PageRange {
  readonly page: number;
  readonly order: number;
}

/** The lowest clear address bit says the size. */
function encodeRange({ page, order }: PageRange): [number, number] {
  const named = order === 0 ? page : page + 2 ** (order - 1) - 1;
  return [(named << 12) | (order === 0 ? 0 : SIZE), Math.floor(named / 0x10_0000)];
}

function decodeRange(low: number, high: number): PageRange {
  let page = (low >>> 12) + (high >>> 0) * 0x10_0000;
  if ((low & SIZE) === 0) return { page, order: 0 };
  let order = 1;
  while (Math.floor(page / 2 ** (order - 1)) % 2 === 1) order += 1;
  page -= page % 2 ** order;
  return { page, order };
}

export function decodeCommand([a, b, c, d]: DescriptorWords): AmdCommand {
  const opcode = b >>> 28;
  if (opcode === COMPLETION_WAIT) {
    const frame = (a >>> 12) + (b & 0xf_ffff) * 0x10_0000;
    return { kind: "wait", frame, index: (a >>> 3) & 0x1ff, value: c };
  }
  if (opcode === INVALIDATE_DEVICE) return { kind: "device", source: a & 0xffff };
  if (opcode === INVALIDATE_IOTLB_PAGES) {
    return { kind: "device-tlb", source: a & 0xffff, ...decodeRange(c, d) };
  }
  assert(opcode === INVALIDATE_PAGES, () => `amd iommu: opcode ${opcode} is no command`);
  const range = decodeRange(c, d);
  return { kind: "pages", domain: b & 0xffff, ...range, tables: (c & PDE) !== 0 };
}

/** AMD's ring, empty. */
export function commandBuffer(
  memory: QueueMemory,
  counts: IommuCounts,
  hooks: CommandHooks,
): DescriptorRing {
  return new DescriptorRing(memory, counts, (words) => {
    const what = decodeCommand(words);
    count(counts, what);
    if (what.kind === "wait") {
      hooks.beforeWait();
      memory.write(what.frame, what.index, what.value, 0);
    } else {
      hooks.perform(what);
    }
  });
}

function count(counts: IommuCounts, what: AmdCommand): void {
  const { ledger } = counts;
  if (what.kind === "wait") ledger.descriptorsWait += 1;
  else if (what.kind === "device") ledger.descriptorsContext += 1;
  else if (what.kind === "device-tlb") ledger.descriptorsDeviceTlb += 1;
  else if (what.order >= everyPage) ledger.descriptorsTlbDomain += 1;
  else {
    ledger.descriptorsTlbPage += 1;
    counts.countPages(what.order);
  }
}
