/**
 * Where fuzzed devices are when nothing else is: a machine of their own, whose host moves pages.
 */
import { Prng } from "../../guest/prng.ts";
import type { FrameRun } from "../../linux/iommu/core.ts";
import type { DmaApi } from "../../linux/iommu/dma.ts";
import { fastMmu } from "../../machine/fast.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
import { DmaFuzz, type FuzzSite } from "./fuzz.ts";
import { DmaOracle } from "./oracle.ts";

export interface DmaFuzzOptions {
  readonly scheme: DmaSchemeName;
  readonly flush: "strict" | "lazy";
  readonly seed: number;
  readonly operations: number;
  /** Accesses of one operation that makes some. */
  readonly accessesEach: number;
}

export interface DmaFuzzOutcome {
  readonly oracle: DmaOracle;
  readonly maps: number;
  readonly moves: number;
}

const guestFrames = 32_768;
/** Frames that buffers may lie in; those above are for schemes that take memory of their own. */
const bufferFrames = { start: 2048, end: 12_288 };
const sizes = [1, 1, 1, 2, 3, 7, 16, 32, 33, 64, 200, 512, 600] as const;

class SiteAlone implements FuzzSite {
  moves = 0;
  readonly machine: DmaMachine;
  readonly apis: readonly DmaApi[];
  readonly oracle: DmaOracle;
  private readonly movesPages: boolean;

  constructor(
    prng: Prng,
    options: {
      readonly scheme: DmaSchemeName;
      readonly flush: "strict" | "lazy";
      readonly seed: number;
    },
  ) {
    const ats = prng.chance(40);
    const scheme = dmaSchemes[options.scheme];
    this.movesPages = scheme.family !== "bare";
    this.machine = new DmaMachine({
      guestFrames,
      isBare: !this.movesPages,
      backing: prng.chance(50) ? "4k" : "2m",
      preset: prng.chance(80) ? "vt-d" : "textbook",
      factory: fastMmu,
      devices: 2,
      scalable: scheme.scalable,
      ats: ats && !scheme.scalable,
      seed: options.seed,
    });
    this.apis = scheme.create(this.machine, options).apis;
    this.oracle = new DmaOracle(this.machine.pages, scheme.protects);
  }

  anyRuns(prng: Prng): FrameRun[] {
    const pages = sizes[prng.below(sizes.length)] ?? 1;
    const { start, end } = bufferFrames;
    if (prng.chance(50)) {
      const frame = start + prng.below(end - start - pages);
      // From 512 pages on large leaves are possible if the frames are aligned.
      return [{ frame: pages >= 512 ? frame - (frame % 512) : frame, pages }];
    }
    return Array.from({ length: Math.min(pages, 64) }, () => ({
      frame: start + prng.below(end - start),
      pages: 1,
    }));
  }

  move(prng: Prng): void {
    const gfn = prng.below(bufferFrames.end);
    const isPossible = this.movesPages && this.moves < guestFrames / 2;
    if (isPossible && this.machine.pages.move(gfn)) this.moves += 1;
  }
}

export function fuzzDma({
  seed,
  operations,
  accessesEach,
  ...choice
}: DmaFuzzOptions): DmaFuzzOutcome {
  const prng = new Prng(seed);
  const site = new SiteAlone(prng, { ...choice, seed });
  const { oracle } = site;
  const fuzz = new DmaFuzz(site, prng, accessesEach);
  for (let i = 0; i < operations && oracle.mismatchCount === 0; i++) fuzz.step();
  return { oracle, maps: fuzz.maps, moves: site.moves };
}
