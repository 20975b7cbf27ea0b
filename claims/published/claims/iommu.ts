/**
 * Rankings of ways to protect from devices, by what a driver's processor waits for.
 *
 * Papers report throughput; here are no wires. What bounds theirs is the processor that maps and unmaps, so the demand of a
 * mapping stands for it: itself, and each exit, invalidation, store or load that it waits for, all counted as one. A ranking of
 * two demands is compared, never their ratio.
 */
import { devicePrograms, type DmaSchemeName } from "../../../host/dma/catalogue.ts";
import { type DmaRow, runDma } from "../../../host/dma/run-dma.ts";
import type { Claim } from "../claim.ts";

/** Small: the rankings stand after a few hundred packets. */
const packets = 2000;

function run(scheme: DmaSchemeName, flush: "strict" | "lazy" = "strict"): DmaRow {
  return runDma({
    scheme,
    program: "nic-ring",
    params: { ...devicePrograms["nic-ring"].defaults, packets },
    flush,
    backing: "4k",
    preset: "vt-d",
    seed: 1,
    check: false,
  });
}

/** Reads of a buffer that the IOTLB cannot hold, in pages of one size. */
function stream(pageSize: "4k" | "2m"): DmaRow {
  return runDma({
    scheme: "bare",
    program: "stream-reader",
    params: { ...devicePrograms["stream-reader"].defaults, pages: 2048, reads: 12_000, pageSize },
    flush: "strict",
    backing: "2m",
    preset: "vt-d",
    seed: 1,
    check: false,
  });
}

const exits = (row: DmaRow) => 1 + row.exits / row.maps;
const invalidations = (row: DmaRow) => 1 + row.hostSubmissions / row.maps;
const allWork = (row: DmaRow) => 1 + (row.guestStores + row.hostSubmissions) / row.maps;
const withLoads = (row: DmaRow) => allWork(row) + row.guestLoads / row.maps;
const misses = (row: DmaRow) => 1 + row.tlbMisses / row.requests;

type Ranking = Pick<Claim, "name" | "published" | "how" | "simulate" | "note" | "missedBecause">;

const rankings: readonly Ranking[] = [
  {
    name: "IOMMU in a guest, strict: sidecore over same core",
    published: "AM11-002 / AM11-001",
    how: "network card: 1 + exits per mapping, on the same core / on a sidecore",
    simulate: () => exits(run("shadow-cm")) / exits(run("sidecore")),
  },
  {
    name: "IOMMU in a guest: optimistic teardown over strict",
    published: "AM11-005 / AM11-001",
    how: "network card: 1 + exits per mapping, strict / optimistic teardown",
    simulate: () => exits(run("shadow-cm")) / exits(run("optimistic")),
  },
  {
    name: "IOMMU: optimistic teardown over deferred",
    published: "AM11-006 / AM11-004",
    how: "network card: 1 + exits per mapping, virtio-iommu with a lazy guest / optimistic teardown",
    simulate: () => exits(run("virtio", "lazy")) / exits(run("optimistic")),
    note: "theirs on bare metal; in a guest only a paravirtual IOMMU lets Linux defer",
  },
  {
    name: "IOMMU on bare metal: deferred over strict",
    published: "AM11-004 / AM11-003",
    how: "network card: 1 + invalidations per mapping, strict / deferred",
    simulate: () => invalidations(run("bare")) / invalidations(run("bare", "lazy")),
  },
  {
    name: "IOMMU on bare metal: rIOMMU over strict",
    published: "ML15-001",
    how: "network card: 1 + stores and invalidations per mapping, strict / rIOMMU",
    simulate: () => allWork(run("bare")) / allWork(run("riommu")),
  },
  {
    name: "IOMMU on bare metal: rIOMMU over deferred",
    published: "ML15-001 / (AM11-004 / AM11-003)",
    how: "network card: 1 + stores, invalidations and loads per mapping, deferred / rIOMMU",
    simulate: () => withLoads(run("bare", "lazy")) / withLoads(run("riommu")),
    note: "published: each over the strict mode of its own machine; stores and invalidations are alike, what rIOMMU saves a driver that defers is its search for a free range and its walks to the entry, three per mapping",
  },
  {
    name: "IOMMU on bare metal: none over rIOMMU",
    published: "1 / ML15-002",
    how: "network card: 1 + stores and invalidations per mapping, rIOMMU / no mapping at all",
    simulate: () => allWork(run("riommu")) / allWork(run("pinned")),
  },
  {
    name: "IOMMU: huge pages lift the IOTLB's wall",
    published: "100 / (100 - FA23-001)",
    how: "stream reader over 8 MiB: 1 + misses per request, 4 KiB pages / 2 MiB pages",
    simulate: () => misses(stream("4k")) / misses(stream("2m")),
  },
  {
    name: "IOMMU: coIOMMU pins a small share",
    published: "100 / TI20-001",
    how: "network card: pages pinned at most, static pinning / coIOMMU",
    simulate: () => run("pinned").pinnedPeak / run("coiommu").pinnedPeak,
    note: "the share is as large as the guest is small: ours has 32 MiB",
  },
];

export const iommuRankings: readonly Claim[] = rankings.map((one) => ({
  ...one,
  class: "c",
  compare: { kind: "same side" },
  unit: "x",
}));
