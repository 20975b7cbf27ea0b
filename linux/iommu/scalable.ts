/**
 * Linux's Intel driver in scalable mode with first-level tables: a processor's entries, no invalidation to map even under
 * caching mode, PASID-selective descriptors.
 *
 * Source: Linux 6.1 drivers/iommu/intel/pasid.c `intel_pasid_setup_first_level`, iommu.c `domain_use_first_level`,
 * dmar.c `qi_flush_piotlb`.
 */
import { pagesPerEntry } from "../../machine/address.ts";
import { type ScalablePath, writePasid, writePath } from "../../machine/iommu/pasid-tables.ts";
import { GCMD_SET_ROOT, GCMD_TRANSLATE, type IommuPort } from "../../machine/iommu/registers.ts";
import type { Gather, IommuDomain } from "./core.ts";
import { InvalidationSubmitter, rangeInvalidation } from "./invalidation.ts";
import { type DmaMapping, IoTable } from "./io-table.ts";
import type { TableMemory } from "./table-memory.ts";

/** The PASID of requests that carry none. */
export const ridPasid = 0;

export class ScalableIommu {
  readonly port: IommuPort;
  readonly memory: TableMemory;
  readonly submitter: InvalidationSubmitter;
  private readonly root: number;
  private readonly paths = new Map<number, ScalablePath>();
  private nextDomain = 1;

  constructor(port: IommuPort, memory: TableMemory) {
    this.port = port;
    this.memory = memory;
    this.root = memory.allocateFrame();
    port.write("RTADDR", this.root);
    port.write("GCMD", GCMD_SET_ROOT);
    this.submitter = new InvalidationSubmitter(port, memory);
    port.write("GCMD", GCMD_TRANSLATE);
  }

  createDomain(): FirstLevelDomain {
    const id = this.nextDomain;
    this.nextDomain += 1;
    return new FirstLevelDomain(this, id);
  }

  /** The device's path down to its PASID table, made at its first use. */
  pathOf(source: number): ScalablePath {
    const known = this.paths.get(source);
    if (known !== undefined) return known;
    const { memory, root } = this;
    const bus = [...this.paths].find(([other]) => other >>> 7 === source >>> 7)?.[1];
    const path = {
      root,
      contextTable: bus?.contextTable ?? memory.allocateFrame(),
      directory: memory.allocateFrame(),
      pasidTable: memory.allocateFrame(),
    };
    writePath(memory, source, ridPasid, path);
    this.paths.set(source, path);
    return path;
  }

  invalidatePasid(domain: number): void {
    this.submitter.submit({ kind: "pasid-cache", domain, pasid: ridPasid });
  }
}

export class FirstLevelDomain implements IommuDomain {
  readonly id: number;
  readonly sizes: readonly number[];
  readonly table: IoTable;
  private readonly iommu: ScalableIommu;

  constructor(iommu: ScalableIommu, id: number) {
    this.iommu = iommu;
    this.id = id;
    const { largeLevels, coherent } = iommu.port.capabilities;
    this.sizes = [1, ...largeLevels.map(pagesPerEntry)];
    const shape = { levels: 4, largeLevels, coherent, format: "first-level" } as const;
    this.table = new IoTable(iommu.memory, shape);
  }

  attach(source: number): void {
    const { pasidTable } = this.iommu.pathOf(source);
    writePasid(this.iommu.memory, pasidTable, ridPasid, {
      translation: "first-level",
      domain: this.id,
      first: this.table.root,
      firstLevels: 4,
      second: 0,
      secondLevels: 4,
      secondMarks: false,
    });
    if (this.iommu.port.capabilities.cachingMode) this.iommu.invalidatePasid(this.id);
  }

  map(mapping: DmaMapping): void {
    this.table.map(mapping, (page, pages) => this.flush(page, pages));
  }

  syncMap(): void {
    // First-level entries that are not present are cached by nobody.
  }

  unmap(page: number, pages: number, gather: Gather): number {
    const size = this.table.unmappable(page, pages);
    gather.add(page, size);
    gather.tables.push(...this.table.clear(page, size));
    return size;
  }

  sync({ start, end, tables }: Gather): void {
    this.flush(start, end - start);
    this.table.free(tables);
  }

  flushAll(): void {
    const { submitter } = this.iommu;
    submitter.submit({
      kind: "pasid-iotlb",
      domain: this.id,
      pasid: ridPasid,
      page: null,
      mask: 0,
    });
  }

  release(tables: readonly number[]): void {
    this.table.free(tables);
  }

  translate(page: number): number | null {
    return this.table.translate(page);
  }

  private flush(page: number, pages: number): void {
    const { submitter, port } = this.iommu;
    const range = rangeInvalidation(
      this.id,
      { page, pages, leavesOnly: false },
      port.capabilities.maskMax,
    );
    if (range.kind !== "iotlb" || range.scope !== "page") {
      this.flushAll();
      return;
    }
    const { mask } = range;
    submitter.submit({ kind: "pasid-iotlb", domain: this.id, pasid: ridPasid, page, mask });
  }
}
