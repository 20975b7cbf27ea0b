/**
 * The page walkers of an IOMMU with their IOTLB and paging-structure caches: a processor's translation units, one per way
 * to translate, tagged by domain and PASID.
 *
 * First level alone is `[x86]`, second level alone `[second-level]`, both together `[x86, second-level]`: the lists of
 * stages that processors have, with an IOMMU's entry format. Silicon of one chip shares its arrays among them; here each way
 * has its own.
 *
 * Model: an IOTLB per way to translate. Bias: none, no scheme uses several ways at once.
 *
 * Model: a page-selective invalidation of more than 512 pages drops all of its domain. Bias: both, by the
 * same misses after more than 2 MiB were unmapped at once; silicon may do the same.
 */
import type { Pfn, Vpn } from "../address.ts";
import { assert } from "../assert.ts";
import { createLedger, walkLengthMax } from "../counters.ts";
import { secondLevel } from "../formats/second-level.ts";
import type { MmuFactory } from "../machine.ts";
import type { PhysicalMemory } from "../memory.ts";
import type { Mmu } from "../mmu.ts";
import type { Preset } from "../presets.ts";
import { type Stage, x86Stage } from "../stages.ts";
import type { Binding } from "./context-cache.ts";
import type { IommuCounts } from "./counters.ts";
import type { Invalidation } from "./descriptors.ts";

/** Pages that an invalidation drops one by one. */
const pagesOneByOneMax = 512;
/** Tags that a unit has. */
const tagsMax = 4096;

interface Way {
  /** Whose tables are loaded. */
  binding: Binding | null;
  readonly mmu: Mmu;
  readonly translation: Binding["translation"];
}

type TlbInvalidation = Extract<Invalidation, { kind: "iotlb" | "pasid-iotlb" }>;

const secondStage = ({ second, secondLevels, secondMarks }: Binding): Stage => ({
  ...x86Stage(4),
  counters: "Nested",
  format: secondLevel,
  shape: { levels: secondLevels, rootExtraBits: 0 },
  marks: secondMarks,
  root: second as Pfn,
});

export class TranslationUnits {
  private readonly memory: PhysicalMemory;
  private readonly preset: Preset;
  private readonly factory: MmuFactory;
  private readonly counts: IommuCounts;
  private readonly ways = new Map<string, Way>();
  private readonly tags = new Map<string, number>();
  /** A binding is the same object as long as it is cached: names are made once. */
  private readonly loaded = new WeakMap<Binding, { readonly way: Way; readonly tag: number }>();

  constructor(
    memory: PhysicalMemory,
    hardware: { readonly preset: Preset; readonly factory: MmuFactory },
    counts: IommuCounts,
  ) {
    this.memory = memory;
    this.preset = hardware.preset;
    this.factory = hardware.factory;
    this.counts = counts;
  }

  /** The unit that translates by `binding`, with its tables loaded. */
  unitFor(binding: Binding, pasid: number): Mmu {
    let known = this.loaded.get(binding);
    if (known === undefined) {
      known = { way: this.wayFor(binding), tag: this.tagOf(binding.domain, pasid) };
      this.loaded.set(binding, known);
    }
    const { way, tag } = known;
    if (way.binding !== binding) {
      const { translation, first, second } = binding;
      const frame = translation === "second-level" ? second : first;
      way.mmu.setRoot({ frame, pcid: tag });
      way.binding = binding;
    }
    return way.mmu;
  }

  private wayFor(binding: Binding): Way {
    const { translation, firstLevels, secondLevels, secondMarks, second } = binding;
    const below = translation === "nested" ? second : 0;
    const key = `${translation} ${firstLevels} ${secondLevels} ${secondMarks} ${below}`;
    const known = this.ways.get(key);
    if (known !== undefined) return known;
    const mmu = this.factory(this.memory, this.preset);
    const stages = stagesOf(binding);
    mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
    const way: Way = { mmu, translation, binding: null };
    this.ways.set(key, way);
    return way;
  }

  private tagOf(domain: number, pasid: number): number {
    const key = `${domain} ${pasid}`;
    let tag = this.tags.get(key);
    if (tag === undefined) {
      tag = this.tags.size;
      assert(tag < tagsMax, "iommu: more domains and PASIDs than tags");
      this.tags.set(key, tag);
    }
    return tag;
  }

  invalidate(what: TlbInvalidation): void {
    for (const way of this.ways.values()) this.invalidateIn(way, what);
  }

  private invalidateIn({ mmu, translation }: Way, what: TlbInvalidation): void {
    if (what.kind === "iotlb" && what.scope === "global") {
      mmu.flushNested();
      return;
    }
    if (what.kind === "iotlb" && translation === "nested") {
      // What the second level says is in every combination with the first.
      mmu.flushNested();
      return;
    }
    const { page } = what;
    const isPaged = page !== null && (what.kind === "pasid-iotlb" || what.scope === "page");
    for (const tag of this.tagsOf(what)) {
      if (!isPaged || 2 ** what.mask > pagesOneByOneMax) {
        mmu.flushContext(tag);
        continue;
      }
      const leavesOnly = what.kind === "iotlb" && what.leavesOnly;
      // Silicon looks at no address bit below the mask.
      const start = page - (page % 2 ** what.mask);
      for (let i = 0; i < 2 ** what.mask; i++) {
        if (leavesOnly) mmu.invalidateLeafOf((start + i) as Vpn, tag);
        else mmu.invalidatePageOf((start + i) as Vpn, tag);
      }
    }
  }

  private tagsOf(what: TlbInvalidation): number[] {
    return [...this.tags]
      .filter(([key]) =>
        what.kind === "iotlb"
          ? key.startsWith(`${what.domain} `)
          : key === `${what.domain} ${what.pasid}`,
      )
      .map(([, tag]) => tag);
  }

  /** Adds what the units have counted since the last call. */
  collect(): void {
    for (const { mmu, translation } of this.ways.values()) {
      const ledger = createLedger();
      mmu.collect(ledger, new Float64Array(walkLengthMax + 1));
      const { walkReferencesGuest, walkReferencesNested, stlbMisses } = ledger;
      const { ledger: into } = this.counts;
      into.tlbMisses += stlbMisses;
      if (translation === "second-level") {
        into.referencesSecond += walkReferencesGuest + walkReferencesNested;
      } else {
        into.referencesFirst += walkReferencesGuest;
        into.referencesSecond += walkReferencesNested;
      }
    }
  }
}

function stagesOf(binding: Binding): readonly Stage[] {
  const { translation, firstLevels } = binding;
  const second = secondStage(binding);
  if (translation === "second-level") return [{ ...second, counters: "Guest", root: null }];
  if (translation === "first-level") return [x86Stage(firstLevels)];
  return [{ ...x86Stage(firstLevels), through: 1 }, second];
}
