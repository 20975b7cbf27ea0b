/**
 * The price of strict invalidation: on hardware, and in a guest.
 */
import { say } from "../../../bench/results/answer.ts";
import { type DmaExperiment, perMap } from "./experiment.ts";

const schemes = ["bare", "nested", "virtio", "optimistic"] as const;
const flushes = ["strict", "lazy"] as const;
const points = schemes.flatMap((scheme) =>
  flushes.map((flush) => ({ scheme, flush, program: "nic-ring" }) as const),
);

export const priceOfStrict: DmaExperiment = {
  title: "What is the price of strict invalidation?",
  points,

  read({ of }) {
    const row = (scheme: (typeof schemes)[number], flush: (typeof flushes)[number]) =>
      of({ scheme, flush, program: "nic-ring" });
    const table = points.map((point) => {
      const { exits, hostSubmissions, tlbMisses, requests, ...rest } = of(point);
      return {
        scheme: point.scheme,
        flush: point.flush,
        exitsPerMap: perMap(exits, of(point)),
        invalidationsPerMap: perMap(hostSubmissions, of(point)),
        missPercent: Number(((100 * tlbMisses) / requests).toPrecision(4)),
        faults: rest.faults,
      };
    });
    const strict = row("bare", "strict");
    const lazy = row("bare", "lazy");
    const nested = [row("nested", "strict"), row("nested", "lazy")] as const;
    const virtio = [row("virtio", "strict"), row("virtio", "lazy")] as const;
    return {
      claim: say`Strict is an invalidation per unmapping, on hardware a wait, in a guest an exit. Lazy leaves one per full queue or per timer: nearly all of it goes, and in a guest with nested hardware nearly all exits. A paravirtual IOMMU keeps the exit that maps. In return a device reaches what it has cached until the flush.`,
      number: say`Invalidations per mapping on hardware: ${perMap(strict.hostSubmissions, strict)} strict, ${perMap(lazy.hostSubmissions, lazy)} lazy. Exits: nested ${perMap(nested[0].exits, nested[0])} and ${perMap(nested[1].exits, nested[1])}, virtio ${perMap(virtio[0].exits, virtio[0])} and ${perMap(virtio[1].exits, virtio[1])}.`,
      evidence: say`devices-price-of-strict.csv; devices.csv`,
      change: say`Under caching mode there is no lazy: Linux knows that the flush of a domain is a walk of all its tables there. Optimistic teardown gets around it by not unmapping.`,
      checks: [
        {
          direction: "lazy leaves less than a fiftieth of the invalidations on hardware",
          holds: lazy.hostSubmissions < strict.hostSubmissions / 50,
        },
        {
          direction: "nested: lazy leaves less than a fiftieth of the exits",
          holds: nested[1].exits < nested[0].exits / 50,
        },
        {
          direction: "virtio: lazy leaves about half",
          holds: Math.abs(virtio[1].exits / virtio[0].exits - 0.5) < 0.05,
        },
        {
          direction: "optimistic teardown exits least of all that protect a guest strictly",
          holds: row("optimistic", "strict").exits < nested[0].exits / 10,
        },
      ],
      tables: [{ name: "devices-price-of-strict", rows: table }],
      figures: [],
    };
  },
};
