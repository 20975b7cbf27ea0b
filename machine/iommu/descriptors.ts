/**
 * What software asks of an IOMMU's caches: the descriptors of the invalidation queue, as bytes and as values.
 *
 * A descriptor is 16 bytes: two entries of 8, here four int32 words.
 *
 * Source: VT-d specification 6.5.2 "Queued Invalidation Interface"; Linux 6.1 drivers/iommu/intel/iommu.h (QI_*).
 */
import { assert } from "../assert.ts";
import type { DescriptorWords } from "./ring.ts";

/** Whose entries: everybody's, a domain's, or one device's (context cache) or page range's (IOTLB). */
export type ContextScope = "global" | "domain" | "device";
export type TlbScope = "global" | "domain" | "page";

export type Invalidation =
  | {
      readonly kind: "context";
      readonly scope: ContextScope;
      readonly domain: number;
      readonly source: number;
    }
  | {
      readonly kind: "iotlb";
      readonly scope: TlbScope;
      readonly domain: number;
      /** IO virtual page number; 2^`mask` pages from it on. */
      readonly page: number;
      readonly mask: number;
      /** IH: only leaf entries changed, what is cached of tables above them may stay. */
      readonly leavesOnly: boolean;
    }
  | {
      readonly kind: "device-tlb";
      readonly source: number;
      readonly page: number;
      readonly mask: number;
    }
  | {
      readonly kind: "interrupt-entry";
      /** First interrupt remapping entry; 2^`mask` of them. Null: all. */
      readonly index: number | null;
      readonly mask: number;
    }
  | {
      readonly kind: "pasid-iotlb";
      readonly domain: number;
      readonly pasid: number;
      /** Null: all pages of the PASID. */
      readonly page: number | null;
      readonly mask: number;
    }
  | { readonly kind: "pasid-cache"; readonly domain: number; readonly pasid: number | null }
  /** A fence: what stands before it is done, and `value` is stored at entry `index` of `frame`. */
  | {
      readonly kind: "wait";
      readonly frame: number;
      readonly index: number;
      readonly value: number;
    };

const CONTEXT = 1;
const IOTLB = 2;
const DEVICE_TLB = 3;
const INTERRUPT_ENTRY = 4;
const WAIT = 5;
const PASID_IOTLB = 6;
const PASID_CACHE = 7;

const contextScopes: readonly ContextScope[] = ["global", "domain", "device"];
const tlbScopes: readonly TlbScope[] = ["global", "domain", "page"];
const SIZE = 1;
const INDEX_HINT = 0x40;
/** DR and DW: reads and writes that were translated before are done before the invalidation is. */
const DRAIN = 0xc0;
const STATUS_WRITE = 0x20;
const FENCE = 0x40;

/** Page number and low bits as the two halves of an address. */
const address = (page: number, bits: number): [number, number] => [
  (page << 12) | bits,
  Math.floor(page / 0x10_0000),
];
const pageOf = (low: number, high: number): number => (low >>> 12) + (high >>> 0) * 0x10_0000;

export function encode(what: Invalidation): DescriptorWords {
  switch (what.kind) {
    case "context": {
      const scope = contextScopes.indexOf(what.scope) + 1;
      return [CONTEXT | (scope << 4) | (what.domain << 16), what.source, 0, 0];
    }
    case "iotlb": {
      const scope = tlbScopes.indexOf(what.scope) + 1;
      const hint = what.leavesOnly ? INDEX_HINT : 0;
      return [
        IOTLB | DRAIN | (scope << 4) | (what.domain << 16),
        0,
        ...address(what.page, what.mask | hint),
      ];
    }
    case "device-tlb": {
      // S and the lowest clear address bit say the size.
      const page = what.mask === 0 ? what.page : what.page + 2 ** (what.mask - 1) - 1;
      return [DEVICE_TLB, what.source, ...address(page, what.mask === 0 ? 0 : SIZE)];
    }
    case "interrupt-entry":
      return what.index === null
        ? [INTERRUPT_ENTRY, 0, 0, 0]
        : [INTERRUPT_ENTRY | 0x10 | (what.mask << 27), what.index, 0, 0];
    case "pasid-iotlb": {
      const low = PASID_IOTLB | ((what.page === null ? 2 : 3) << 4) | (what.domain << 16);
      return [low, what.pasid, ...address(what.page ?? 0, what.mask)];
    }
    case "pasid-cache": {
      const low = PASID_CACHE | ((what.pasid === null ? 0 : 1) << 4) | (what.domain << 16);
      return [low, what.pasid ?? 0, 0, 0];
    }
    case "wait": {
      const [low, high] = address(what.frame, what.index << 3);
      return [WAIT | STATUS_WRITE | FENCE, what.value, low, high];
    }
  }
}

/** The value of four words; they must be a descriptor that Linux writes. */
export function decode([a, b, c, d]: DescriptorWords): Invalidation {
  const domain = (a >>> 16) & 0xffff;
  const scope = ((a >>> 4) & 3) - 1;
  switch (a & 0xf) {
    case CONTEXT:
      return { kind: "context", scope: named(contextScopes, scope), domain, source: b & 0xffff };
    case IOTLB: {
      const where = { page: pageOf(c, d), mask: c & 0x3f, leavesOnly: (c & INDEX_HINT) !== 0 };
      return { kind: "iotlb", scope: named(tlbScopes, scope), domain, ...where };
    }
    case DEVICE_TLB:
      return { kind: "device-tlb", source: b & 0xffff, ...sizedRange(pageOf(c, d), c) };
    case INTERRUPT_ENTRY:
      return (a & 0x10) === 0
        ? { kind: "interrupt-entry", index: null, mask: 0 }
        : { kind: "interrupt-entry", index: b & 0xffff, mask: a >>> 27 };
    case PASID_IOTLB: {
      const page = scope === 1 ? null : pageOf(c, d);
      return { kind: "pasid-iotlb", domain, pasid: b & 0xf_ffff, page, mask: c & 0x3f };
    }
    case PASID_CACHE:
      return { kind: "pasid-cache", domain, pasid: scope === 0 ? b & 0xf_ffff : null };
    case WAIT:
      return { kind: "wait", frame: pageOf(c, d), index: (c >>> 3) & 0x1ff, value: b };
    default:
      throw new Error(`bug: invalidation queue: type ${a & 0xf} is no descriptor`);
  }
}

function named<T>(scopes: readonly T[], scope: number): T {
  const found = scopes[scope];
  assert(found !== undefined, () => `invalidation queue: granularity ${scope + 1} is reserved`);
  return found;
}

/** The range whose size S and the lowest clear bit of `page` encode. */
function sizedRange(page: number, low: number): { page: number; mask: number } {
  if ((low & SIZE) === 0) return { page, mask: 0 };
  let mask = 1;
  while (Math.floor(page / 2 ** (mask - 1)) % 2 === 1) mask += 1;
  return { page: page - (page % 2 ** mask), mask };
}
