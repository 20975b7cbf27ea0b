/**
 * Fuzzing devices: drivers that map and unmap at random, devices that reach for what is theirs and for what is not, a host that
 * moves pages, time that passes. The oracle judges each access.
 *
 * A seed decides everything. Kinds of operations are weighted per seed, some left out altogether, so that long runs of one kind
 * happen too. Devices are ill-behaved: they keep using what was unmapped, and pages of each other.
 */
import type { Prng } from "../../guest/prng.ts";
import type { FrameRun } from "../../linux/iommu/core.ts";
import type { DmaApi, DmaSegment } from "../../linux/iommu/dma.ts";
import type { DmaRights } from "../../linux/iommu/entry-formats.ts";
import type { DmaDevice, DmaKind } from "../../machine/iommu/iommu.ts";
import type { DmaMachine } from "../../viommu/dma-machine.ts";
import type { DmaOracle } from "./oracle.ts";

const liveMax = 24;

interface Live {
  readonly device: number;
  readonly segments: readonly DmaSegment[];
}

/** Where drivers and devices are, and who judges. */
export interface FuzzSite {
  readonly machine: DmaMachine;
  /** The DMA API of each device's driver. */
  readonly apis: readonly DmaApi[];
  readonly oracle: DmaOracle;
  /** Memory for a mapping. */
  anyRuns(prng: Prng): FrameRun[];
  /** The host moves some page, maybe. */
  move(prng: Prng): void;
}

interface Port {
  readonly api: DmaApi;
  readonly device: DmaDevice;
}

type Kind = "map" | "unmap" | "use" | "misuse" | "pass" | "move";
const kinds: readonly Kind[] = ["map", "unmap", "use", "misuse", "pass", "move"];

/** Drivers and devices at random, an operation at a time. */
export class DmaFuzz {
  maps = 0;
  private readonly site: FuzzSite;
  private readonly prng: Prng;
  private readonly machine: DmaMachine;
  private readonly ports: readonly Port[];
  private readonly oracle: DmaOracle;
  private readonly weights: readonly number[];
  private readonly live: Live[] = [];
  /** Segments that were unmapped, the latest last. */
  private readonly gone: DmaSegment[] = [];
  /** Do requests take their time? */
  private readonly posts: boolean;
  private readonly accessesEach: number;

  constructor(site: FuzzSite, prng: Prng, accessesEach: number) {
    const { machine, apis, oracle } = site;
    this.site = site;
    this.prng = prng;
    this.accessesEach = accessesEach;
    this.machine = machine;
    this.oracle = oracle;
    this.ports = machine.devices.flatMap((device, i) => {
      const api = apis[i];
      if (api === undefined) return [];
      api.observer = oracle.observerOf(device.requestor.source);
      return [{ api, device }];
    });
    this.posts = prng.chance(50);
    machine.onLanded = ({ device, page, kind, pfn }) =>
      oracle.arrived(device.requestor.source, page, kind, pfn);
    this.weights = kinds.map((kind) => (kind === "map" || prng.chance(80) ? 1 + prng.below(8) : 0));
  }

  step(): void {
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
      case "move":
        this.site.move(prng);
        break;
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
    this.live.push({
      device,
      segments: api.map(this.site.anyRuns(prng), rights satisfies DmaRights),
    });
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
