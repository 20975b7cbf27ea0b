/**
 * The eight programs of Agile Paging's figure 5, each represented by one of ours of the same kind.
 */
import type { workloads } from "../workloads/index.ts";
import type { Workload } from "../workloads/workload.ts";

export type PageSize = "4k" | "2m";

export interface Stand {
  /** Their program. */
  readonly name: string;
  /** Ours, in words. */
  readonly ours: string;
  readonly workload: keyof typeof workloads;
  /** That program with something changed, in experiments. */
  readonly altered?: (program: Workload) => Workload;
  /** On pages of that size in both dimensions, `times` as long as usual. */
  readonly params: (size: PageSize, times: number) => Readonly<Record<string, number | string>>;
}

/** 64 MiB with 4K pages, 256 MiB with 2M pages: past what either kind of TLB entry reaches (2 and 64 MiB). */
const pages = { "4k": 16_384, "2m": 65_536 } as const;
const accesses = 150_000;
/** Linux 3.12 has neither KPTI nor PCID. */
const old = { kpti: 0, pcid: 0 } as const;

/** In the order of the figure, and of its rows' ids. */
export const stands: readonly Stand[] = [
  {
    name: "memcached",
    ours: "key-value",
    workload: "key-value",
    params: (pageSize, times) => ({
      ...old,
      pages: pages[pageSize],
      requests: 12_000 * times,
      pageSize,
    }),
  },
  {
    name: "canneal",
    ours: "uniform, 30 % stores",
    workload: "uniform",
    params: (pageSize, times) => ({
      pages: pages[pageSize],
      accesses: times * accesses,
      pageSize,
    }),
  },
  {
    name: "astar",
    ours: "zipf",
    workload: "zipf",
    params: (pageSize, times) => ({
      pages: pages[pageSize],
      accesses: times * accesses,
      pageSize,
    }),
  },
  {
    name: "gcc",
    ours: "compile (its heap has 4K pages in both)",
    workload: "compile",
    params: (_pageSize, times) => ({ ...old, jobs: 6 * times }),
  },
  {
    name: "graph500",
    ours: "uniform reads on four times the data",
    workload: "uniform",
    params: (pageSize, times) => ({
      pages: 4 * pages[pageSize],
      accesses: times * accesses,
      writePercent: 0,
      pageSize,
    }),
  },
  {
    name: "mcf",
    ours: "pointer-chase on four times the data",
    workload: "pointer-chase",
    params: (pageSize, times) => ({
      pages: 4 * pages[pageSize],
      accesses: times * accesses,
      pageSize,
    }),
  },
  {
    name: "tigr",
    ours: "btree",
    workload: "btree",
    params: (pageSize, times) => ({
      leaves: pages[pageSize],
      lookups: 40_000 * times,
      pageSize,
    }),
  },
  {
    name: "dedup",
    ours: "mmap-churn",
    workload: "mmap-churn",
    params: (pageSize, times) => ({
      ...old,
      churnOps: times * (pageSize === "4k" ? 400 : 60),
      pageSize,
    }),
  },
];
