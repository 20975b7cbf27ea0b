/**
 * The streams' counters in our terms.
 *
 * Source: the table of counters in results/groundtruth/iommu/README.md.
 */
import type { IommuCounts, IommuLedger } from "../../../machine/iommu/counters.ts";
import { createWalkCounts, type WalkCounts } from "../../../viommu/shadow-walk.ts";
import type { StreamMode, StreamWorld } from "./worlds.ts";

/** Counters by the stream's names; those that are 0 may be left out. */
export type StreamCounts = Readonly<Record<string, number>>;

const ofQueue: Readonly<Record<string, keyof IommuLedger>> = {
  reg_write_88: "tailWrites",
  vtd_inv_qi_tail: "tailWrites",
  vtd_inv_desc: "descriptors",
  vtd_inv_desc_iotlb_pages: "descriptorsTlbPage",
  vtd_inv_desc_iotlb_domain: "descriptorsTlbDomain",
  vtd_inv_desc_iotlb_global: "descriptorsTlbGlobal",
  vtd_inv_desc_cc_device: "descriptorsContext",
  vtd_inv_desc_iec: "descriptorsInterruptEntry",
  vtd_inv_desc_wait_sw: "descriptorsWait",
  psi_pages: "pagesInvalidated",
};

/** What the measurement saw of the host's IOMMU. */
const hostNames: ReadonlySet<string> = new Set([
  "vtd_inv_qi_tail",
  "vtd_inv_desc_iotlb_pages",
  "vtd_inv_desc_iotlb_domain",
  "vtd_inv_desc_wait_sw",
]);

export interface ApiCalls {
  map: number;
  unmap: number;
}

/** Everything counted since the start, by the stream's names. */
export function countsOf(
  { guestIommu, shadow, hostIommu }: StreamWorld,
  { map, unmap }: ApiCalls,
): StreamCounts {
  return {
    t_map: map,
    t_unmap: unmap,
    ...queueCounts(guestIommu.counts),
    ...(shadow === null ? {} : walkCounts(shadow.counts, shadow.calls)),
    ...(hostIommu === null ? {} : hostCounts(hostIommu.counts)),
  };
}

function queueCounts({ ledger, masks }: IommuCounts): StreamCounts {
  const byName = Object.entries(ofQueue).map(([name, counter]) => [name, ledger[counter]] as const);
  const byMask = [...masks].map((count, mask) => [`psi_mask_${mask}`, count] as const);
  return Object.fromEntries([...byName, ...byMask]);
}

function hostCounts(counts: IommuCounts): StreamCounts {
  const seen = Object.entries(queueCounts(counts)).filter(
    ([name]) => hostNames.has(name) || name.includes("psi_mask_"),
  );
  return Object.fromEntries(seen.map(([name, count]) => [`l0_${name}`, count]));
}

/** Sizes as the trace prints them: hexadecimal bytes. */
const sizes = ["1000", "200000", "40000000"];

function walkCounts(walk: WalkCounts, calls: number): StreamCounts {
  const bySize = sizes.flatMap((size, i) => [
    [`walk_one_map_${size}`, walk.mapped[i + 1] ?? 0] as const,
    [`walk_one_unmap_${size}`, walk.unmapped[i + 1] ?? 0] as const,
  ]);
  const ones = bySize.reduce((sum, [, count]) => sum + count, 0);
  return {
    ...Object.fromEntries(bySize),
    vtd_page_walk_level: walk.tables,
    vtd_page_walk_one: ones,
    vtd_page_walk_one_skip_map: walk.skippedMapped,
    vtd_page_walk_one_skip_unmap: walk.skippedEmpty,
    vfio_iommu_map_notify: calls,
  };
}

/** Names that a mode was measured by: what a stream leaves out of them is 0. */
export function namesOf(mode: StreamMode): readonly string[] {
  const zeros = new Float64Array(19);
  const own = [
    "t_unmap",
    ...Object.keys(ofQueue),
    ...[...zeros.keys()].map((m) => `psi_mask_${m}`),
  ];
  if (mode !== "two") return own;
  const host = [...hostNames].map((name) => `l0_${name}`);
  const hostMasks = [...zeros.keys()].map((m) => `l0_psi_mask_${m}`);
  return [...own, ...Object.keys(walkCounts(createWalkCounts(), 0)), ...host, ...hostMasks];
}
