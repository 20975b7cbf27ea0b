/**
 * What large pages do to an IOTLB that is small.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { DmaExperiment } from "./experiment.ts";

const schemes = ["bare", "shadow-cm", "nested"] as const;
const pageSizes = ["4k", "2m"] as const;
const points = schemes.flatMap((scheme) =>
  pageSizes.map(
    (pageSize) => ({ scheme, program: "stream-reader", params: { pageSize } }) as const,
  ),
);

export const devicesLargePages: DmaExperiment = {
  title: "What do large pages do for a device?",
  points,

  read({ of }) {
    const table = points.map((point) => {
      const { tlbMisses, requests, references } = of(point);
      return {
        scheme: point.scheme,
        pageSize: point.params.pageSize,
        missPercent: six((100 * tlbMisses) / requests),
        referencesPerRequest: six(references / requests),
      };
    });
    const of4k = (scheme: (typeof schemes)[number]) =>
      of({ scheme, program: "stream-reader", params: { pageSize: "4k" } });
    const of2m = (scheme: (typeof schemes)[number]) =>
      of({ scheme, program: "stream-reader", params: { pageSize: "2m" } });
    const small = of4k("bare");
    const large = of2m("bare");
    return {
      claim: say`A device that streams over more than the IOTLB reaches misses at nearly every small page. In pages of the next size the same region fits, and misses vanish: under a shadow too, if the host's pages are as large. Nested hardware gains most, as its walks were longest.`,
      number: say`Misses per hundred requests on hardware: ${six((100 * small.tlbMisses) / small.requests)} in small pages, ${six((100 * large.tlbMisses) / large.requests)} in large ones. References per request, nested: ${six(of4k("nested").references / small.requests)} and ${six(of2m("nested").references / small.requests)}.`,
      evidence: say`devices-large-pages.csv; devices.csv`,
      change: say`Buffers of a page each, as network cards have, cannot be large: there the reach stays what it is.`,
      checks: [
        ...schemes.map((scheme) => ({
          direction: `${scheme}: large pages take away nine misses of ten`,
          holds: of2m(scheme).tlbMisses < of4k(scheme).tlbMisses / 10,
        })),
        {
          direction: "nested saves more references than the shadow",
          holds:
            of4k("nested").references - of2m("nested").references >
            of4k("shadow-cm").references - of2m("shadow-cm").references,
        },
      ],
      tables: [{ name: "devices-large-pages", rows: table }],
      figures: [],
    };
  },
};
