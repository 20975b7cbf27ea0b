/**
 * Fuzzing devices: drivers that map and unmap at random, devices that reach for what is theirs and for what is not, a host that
 * moves pages, time that passes. The oracle judges each access.
 *
 * A seed decides everything. Kinds of operations are weighted per seed, some left out altogether, so that long runs of one kind
 * happen too. Devices are ill-behaved: they keep using what was unmapped, and pages of each other.
 */
import { Prng } from "../../guest/prng.ts";
import type { FrameRun } from "../../linux/iommu/core.ts";
import type { DmaApi, DmaSegment } from "../../linux/iommu/dma.ts";
import type { DmaRights } from "../../linux/iommu/entry-formats.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { DmaDevice, DmaKind } from "../../machine/iommu/iommu.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
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
const liveMax = 24;
const sizes = [1, 1, 1, 2, 3, 7, 16, 32, 33, 64, 200, 512, 600] as const;

interface Live {
  readonly device: number;
  readonly segments: readonly DmaSegment[];
}

interface Port {
  readonly api: DmaApi;
  readonly device: DmaDevice;
}

type Kind = "map" | "unmap" | "use" | "misuse" | "pass" | "move";
const kinds: readonly Kind[] = ["map", "unmap", "use", "misuse", "pass", "move"];

export function fuzzDma(options: DmaFuzzOptions): DmaFuzzOutcome {
  return new DmaFuzz(options).run(options.operations);
}

class DmaFuzz {
  private readonly prng: Prng;
  private readonly machine: DmaMachine;
  private readonly ports: readonly Port[];
  private readonly oracle: DmaOracle;
  private readonly weights: readonly number[];
  private readonly live: Live[] = [];
  /** Segments that were unmapped, the latest last. */
  private readonly gone: DmaSegment[] = [];
  private readonly movesPages: boolean;
  /** Do requests take their time? */
  private readonly posts: boolean;
  private readonly accessesEach: number;
  private maps = 0;
  private moves = 0;

  constructor({ scheme: name, flush, seed, accessesEach }: DmaFuzzOptions) {
    this.accessesEach = accessesEach;
    const prng = new Prng(seed);
    const ats = prng.chance(40);
    const scheme = dmaSchemes[name];
    this.prng = prng;
    this.machine = new DmaMachine({
      guestFrames,
      isBare: scheme.family === "bare",
      backing: prng.chance(50) ? "4k" : "2m",
      preset: prng.chance(80) ? "vt-d" : "textbook",
      factory: fastMmu,
      devices: 2,
      scalable: scheme.scalable,
      ats: ats && !scheme.scalable,
      seed,
    });
    const { apis } = scheme.create(this.machine, { flush });
    this.oracle = new DmaOracle(this.machine.pages, scheme.protects);
    this.ports = this.machine.devices.flatMap((device, i) => {
      const api = apis[i];
      if (api === undefined) return [];
      api.observer = this.oracle.observerOf(device.requestor.source);
      return [{ api, device }];
    });
    this.posts = prng.chance(50);
    this.machine.onLanded = ({ device, page, kind, pfn }) =>
      this.oracle.arrived(device.requestor.source, page, kind, pfn);
    this.movesPages = scheme.family !== "bare";
    this.weights = kinds.map((kind) => (kind === "map" || prng.chance(80) ? 1 + prng.below(8) : 0));
  }

  run(operations: number): DmaFuzzOutcome {
    for (let i = 0; i < operations && this.oracle.mismatchCount === 0; i++) this.step();
    const { oracle, maps, moves } = this;
    return { oracle, maps, moves };
  }

  private step(): void {
    const { prng, machine } = this;
    switch (this.draw()) {
      case "map":
        if (this.live.length < liveMax) this.map();
        else this.unmap();
        break;
      case "unmap":
        this.unmap();
        break;
      case "use":
        this.use();
        break;
      case "misuse":
        this.misuse();
        break;
      case "pass":
        machine.land();
        machine.clock.advance(prng.below(4000));
        break;
      case "move": {
        const gfn = prng.below(bufferFrames.end);
        if (this.movesPages && this.moves < guestFrames / 2 && machine.pages.move(gfn))
          this.moves += 1;
        break;
      }
    }
  }

  private draw(): Kind {
    const { weights, prng } = this;
    let at = prng.below(weights.reduce((sum, weight) => sum + weight, 0));
    for (const [i, weight] of weights.entries()) {
      at -= weight;
      if (at < 0) return kinds[i] ?? "map";
    }
    return "map";
  }

  private map(): void {
    const { prng } = this;
    const device = prng.below(this.ports.length);
    const rights = (["read", "write", "read-write"] as const)[prng.below(3)] ?? "read";
    const api = this.ports[device]?.api;
    if (api === undefined) return;
    this.maps += 1;
    this.live.push({ device, segments: api.map(this.anyRuns(), rights satisfies DmaRights) });
  }

  private anyRuns(): FrameRun[] {
    const { prng } = this;
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

  private unmap(): void {
    const [one] = this.live.splice(this.prng.below(this.live.length), 1);
    if (one === undefined) return;
    this.ports[one.device]?.api.unmap(one.segments);
    this.gone.push(...one.segments.slice(0, 4));
    if (this.gone.length > 64) this.gone.splice(0, 32);
  }

  /** A device reaches for its own, not always as it may. */
  private use(): void {
    const { prng } = this;
    const one = this.live[prng.below(this.live.length)];
    if (one === undefined) return;
    this.reach(one.device, () => pageIn(one.segments[prng.below(one.segments.length)], prng));
  }

  /** A device reaches for what was unmapped, for the other's, or for anything. */
  private misuse(): void {
    const { prng } = this;
    const device = prng.below(this.ports.length);
    this.reach(device, () => {
      const choice = prng.below(4);
      if (choice === 0) return prng.below(2 ** 28);
      if (choice === 1) {
        const other = this.live[prng.below(this.live.length)];
        return pageIn(other?.segments[0], prng);
      }
      return pageIn(this.gone[prng.below(this.gone.length)], prng);
    });
  }

  private reach(device: number, page: () => number | null): void {
    const port = this.ports[device];
    if (port === undefined) return;
    for (let i = 0; i < this.accessesEach; i++) {
      const at = page();
      if (at === null) return;
      const kind: DmaKind = this.prng.chance(50) ? "read" : "write";
      const { source } = port.device.requestor;
      if (this.posts && this.prng.chance(50)) {
        // What is refused is so now; the rest is judged when it arrives.
        const isOnItsWay = this.machine.post(port.device, at, kind);
        if (!isOnItsWay) this.oracle.accessed(source, at, kind, null);
      } else {
        this.oracle.accessed(source, at, kind, this.machine.access(port.device, at, kind));
      }
    }
  }
}

function pageIn(segment: DmaSegment | undefined, prng: Prng): number | null {
  return segment === undefined ? null : segment.page + prng.below(segment.pages);
}
