/**
 * The sweep of this topic: every scheme over every device program, strict and lazy, in one table and four charts.
 */
import { type Bars, say } from "../../../bench/results/answer.ts";
import { percent, six } from "../../../bench/results/figures.ts";
import {
  deviceProgramNames,
  dmaSchemeNames,
  type DmaSchemeName,
} from "../../../host/dma/catalogue.ts";
import type { DmaRow } from "../../../host/dma/run-dma.ts";
import { type DmaExperiment, type DmaFindings, type DmaPoint, perMap } from "./experiment.ts";

const flushes = ["strict", "lazy"] as const;
const points: readonly DmaPoint[] = deviceProgramNames.flatMap((program) =>
  flushes.flatMap((flush) => dmaSchemeNames.map((scheme) => ({ scheme, program, flush }))),
);

const missPercent = (row: DmaRow) => six(percent(row.tlbMisses, row.requests));
const pinnedPercent = (row: DmaRow) => six(percent(row.pinnedPeak, row.guestPages));
const exposedMs = ({ exposedMicroseconds, pagesUnmapped }: DmaRow) =>
  six(exposedMicroseconds / Math.max(1, pagesUnmapped) / 1000);

export const everyScheme: DmaExperiment = {
  title: "What does each way to translate cost, and what does it leave open?",
  points,

  read({ of }) {
    const table = points.map((point) => {
      const row = of(point);
      return {
        program: point.program,
        flush: point.flush ?? "strict",
        scheme: point.scheme,
        exitsPerMap: perMap(row.exits, row),
        hostCallsPerMap: perMap(row.hostCalls, row),
        invalidationsPerMap: perMap(row.hostSubmissions, row),
        missPercent: missPercent(row),
        referencesPerRequest: six(row.references / row.requests),
        pinnedPercent: pinnedPercent(row),
        exposedMsPerPage: exposedMs(row),
      };
    });
    const nic = (scheme: DmaSchemeName, flush: (typeof flushes)[number] = "strict") =>
      of({ scheme, program: "nic-ring", flush });
    return {
      claim: say`Nothing is cheap, protects at once, and pins little, all three: a scheme that invalidates at each unmapping exits or copies for it, one that does not leaves pages within reach of the device, and without exits to map all memory is pinned or new silicon is there.`,
      number: say`Network card, strict, exits per mapping: ${perMap(nic("shadow-wp").exits, nic("shadow-wp"))} write protection, ${perMap(nic("shadow-cm").exits, nic("shadow-cm"))} caching mode, ${perMap(nic("nested").exits, nic("nested"))} nested, ${perMap(nic("optimistic").exits, nic("optimistic"))} optimistic. A page that was given up stays within reach for ${exposedMs(nic("optimistic"))} ms under optimistic teardown, ${exposedMs(nic("nested", "lazy"))} ms under a lazy guest.`,
      evidence: say`devices-every-scheme.csv; devices.csv`,
      change: say`A device that keeps its mappings (the stream reader) makes the differences in exits vanish; what is left is walks and pinned memory.`,
      checks: checks(nic),
      tables: [{ name: "devices-every-scheme", rows: table }],
      figures: [
        ["exits", "VM exits per mapping", (row: DmaRow) => perMap(row.exits, row)] as const,
        [
          "invalidations",
          "invalidations of the host's IOMMU per mapping",
          (row: DmaRow) => perMap(row.hostSubmissions, row),
        ] as const,
        ["misses", "IOTLB misses, % of requests", missPercent] as const,
        ["pinned", "memory pinned at most, %", pinnedPercent] as const,
        ["exposure", "ms that a page stays within reach after its unmapping", exposedMs] as const,
      ].map(([name, title, value]) => ({
        kind: "bars" as const,
        name: `devices-${name}`,
        data: chart(of, title, value),
      })),
    };
  },
};

function checks(nic: (scheme: DmaSchemeName, flush?: "strict" | "lazy") => DmaRow) {
  const strictInGuest = (["shadow-cm", "shadow-wp", "nested", "virtio"] as const).map((scheme) =>
    nic(scheme),
  );
  return [
    {
      direction: "on hardware rIOMMU leaves less than a tenth of the invalidations",
      holds: nic("riommu").hostSubmissions < nic("bare").hostSubmissions / 10,
    },
    {
      direction: "every strict scheme of a guest without copies exits at least once per mapping",
      holds: strictInGuest.every((row) => row.exits >= row.maps),
    },
    {
      direction: "and leaves no page within reach",
      holds: strictInGuest.every((row) => row.exposedMicroseconds === 0),
    },
    {
      direction: "schemes that hardly exit leave pages within reach, pin all memory, or copy",
      holds: (["pinned", "coiommu", "optimistic", "shadow-buffers"] as const)
        .map((scheme) => nic(scheme))
        .every(
          (row) =>
            row.exits < row.maps / 10 && (row.exposedMicroseconds > 0 || row.pagesCopied > 0),
        ),
    },
    {
      direction: "coIOMMU pins less than a tenth of memory",
      holds: nic("coiommu").pinnedPeak < nic("coiommu").guestPages / 10,
    },
  ];
}

function chart(of: DmaFindings["of"], axisTitle: string, value: (row: DmaRow) => number): Bars {
  return {
    title: `Devices: ${axisTitle}`,
    remarks: ["every scheme, by program; strict and lazy guests"],
    axisTitle,
    legendTitle: "count",
    parts: [{ name: axisTitle, colour: "#56b4e9" }],
    panels: deviceProgramNames.flatMap((program) =>
      flushes.map((flush) => ({
        name: `${program}, ${flush}`,
        bars: dmaSchemeNames.map((scheme) => ({
          name: scheme,
          values: [value(of({ scheme, program, flush }))],
        })),
      })),
    ),
  };
}
