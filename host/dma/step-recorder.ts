/**
 * What one call of a driver or one access of a device sets off, in order, line by line: stores, exits, calls, invalidations,
 * walks.
 *
 * Exits are not told of; they are what the scheme's own counts have grown by since the line before.
 */
import { hexAddress, type Pfn } from "../../machine/address.ts";
import { counted } from "../../machine/counted-text.ts";
import { type EntryFormat, entryText, entryValue } from "../../machine/entry-text.ts";
import { type IommuLedger, iommuDifference } from "../../machine/iommu/counters.ts";
import type { Invalidation } from "../../machine/iommu/descriptors.ts";
import type { DmaDevice, DmaKind } from "../../machine/iommu/iommu.ts";
import type { WalkReference } from "../../machine/mmu.ts";
import type { DmaMachine } from "../../viommu/dma-machine.ts";
import type { DmaWatcher } from "../../viommu/dma-watcher.ts";
import type { MappedRange } from "../../viommu/mapped-ranges.ts";
import type { GuestDma, SchemeCounts } from "../../viommu/scheme.ts";

/** Who does it. An exit is the guest's that the hypervisor sees, silicon is the IOMMU. */
export type DmaActor = "guest" | "exit" | "poll" | "hypervisor" | "host" | "silicon" | "device";

export interface DmaLine {
  readonly actor: DmaActor;
  readonly text: string;
}

/** Counts of a scheme that become lines of their own. */
const told = [
  { name: "exitsRegister", actor: "exit", text: "a register write of the guest" },
  { name: "exitsTableStore", actor: "exit", text: "a store into a protected table" },
  { name: "exitsRequest", actor: "exit", text: "a request of the guest" },
  { name: "polls", actor: "poll", text: "another core finds a register written" },
  { name: "pageRequests", actor: "device", text: "a page request (PRI) is answered" },
  { name: "pagesCopied", actor: "guest", text: "copies a page" },
] as const satisfies readonly {
  readonly name: keyof SchemeCounts;
  readonly actor: DmaActor;
  readonly text: string;
}[];

/** Stores that follow each other in one table and are shown one by one. */
const storesShown = 4;
const entryBytes = 8;

export class StepRecorder implements DmaWatcher {
  private readonly machine: DmaMachine;
  private readonly guest: GuestDma;
  private lines: DmaLine[] = [];
  private before: SchemeCounts;
  private readonly stores = { place: "", count: 0 };

  constructor(machine: DmaMachine, guest: GuestDma) {
    this.machine = machine;
    this.guest = guest;
    this.before = guest.counts();
    machine.watch(this);
  }

  /** What was set off since the last call. */
  take(): readonly DmaLine[] {
    this.say(null);
    const { lines } = this;
    this.lines = [];
    return lines;
  }

  /** One access; what the IOMMU did for it, and where it ended. */
  access(device: DmaDevice, page: number, kind: DmaKind): Pfn | null {
    const before = this.silicon();
    const pfn = this.machine.access(device, page, kind);
    const counts = iommuDifference(this.silicon(), before);
    for (const text of this.translated(counts)) this.say({ actor: "silicon", text });
    const place = `${kind}s IO page ${hex(page)}`;
    const end = pfn === null ? "refused, a fault is recorded" : `frame 0x${hexAddress(pfn, 0)}`;
    this.say({ actor: "device", text: `${place}: ${end}` });
    return pfn;
  }

  private silicon(): IommuLedger {
    this.machine.iommu.collect();
    return { ...this.machine.iommu.counts.ledger };
  }

  private translated(counts: IommuLedger): string[] {
    const { referencesContext, referencesFirst, referencesSecond, tlbMisses } = counts;
    const lines: string[] = [];
    if (referencesContext > 0) lines.push(`reads ${referencesContext} context entries`);
    const references = referencesFirst + referencesSecond;
    if (references === 0) return tlbMisses > 0 ? lines : [...lines, "no reference: it is cached"];
    const walk = this.machine.iommu.lastWalk();
    const shown = walk === null ? [] : walk.references.map((one) => referenceText(one, walk));
    const rest = references - shown.length;
    if (rest > 0) lines.push(counted(rest, "reference"));
    return [...lines, ...shown];
  }

  guestStores(frame: number, index: number, low: number, high: number): void {
    this.stored("guest", { frame, index, low, high });
  }

  hostStores(frame: number, index: number, low: number, high: number): void {
    this.stored("host", { frame, index, low, high });
  }

  hostMaps({ page, pages, gfn }: MappedRange): void {
    const text = `maps IO page ${hex(page)} to guest page ${hex(gfn)}, ${counted(pages, "page")}`;
    this.say({ actor: "hypervisor", text });
  }

  hostUnmaps(page: number, pages: number): void {
    this.say({
      actor: "hypervisor",
      text: `unmaps IO page ${hex(page)}, ${counted(pages, "page")}`,
    });
  }

  forgets(what: Invalidation): void {
    this.say({ actor: "silicon", text: `forgets ${invalidationText(what)}` });
  }

  private stored(
    actor: "guest" | "host",
    store: {
      readonly frame: number;
      readonly index: number;
      readonly low: number;
      readonly high: number;
    },
  ): void {
    this.exits();
    const { stores } = this;
    const place = `${actor} ${store.frame}`;
    if (stores.place === place) stores.count += 1;
    else {
      this.endStores();
      stores.place = place;
      stores.count = 1;
    }
    if (stores.count > storesShown) return;
    const address = hexAddress(store.frame, store.index * entryBytes);
    this.lines.push({ actor, text: `stores ${entryValue(store.low, store.high)} at 0x${address}` });
  }

  /** How many more there were than were shown. */
  private endStores(): void {
    const { stores } = this;
    const [actor] = stores.place.split(" ");
    const more = stores.count - storesShown;
    if (more > 0) {
      const text = `and ${more} more there`;
      this.lines.push({ actor: actor === "guest" ? "guest" : "host", text });
    }
    stores.place = "";
    stores.count = 0;
  }

  /** Null: the end. */
  private say(line: DmaLine | null): void {
    this.exits();
    this.endStores();
    if (line !== null) this.lines.push(line);
  }

  private exits(): void {
    const now = this.guest.counts();
    for (const { name, actor, text } of told) {
      const times = now[name] - this.before[name];
      if (times === 0) continue;
      this.endStores();
      this.lines.push({ actor, text: times === 1 ? text : `${text}, ${times} times` });
    }
    this.before = now;
  }
}

const hex = (page: number) => `0x${page.toString(16)}`;

function referenceText(
  { dimension, level, pfn, index, low, high }: WalkReference,
  { translation }: { readonly translation: string },
): string {
  const isFirst = dimension === "guest" && translation !== "second-level";
  const format: EntryFormat = isFirst ? "x86-64" : "second-level";
  const place = `${isFirst ? "first level" : "second level"} ${level}`;
  const address = hexAddress(pfn, index * entryBytes);
  const says = low === 0 && high === 0 ? "nothing" : entryText(low, high, format, level);
  return `reads ${place} at 0x${address}: ${says}`;
}

function invalidationText(what: Invalidation): string {
  switch (what.kind) {
    case "iotlb":
      return what.scope === "page"
        ? `${counted(2 ** what.mask, "page")} from IO page ${hex(what.page)} on`
        : `translations of ${what.scope === "domain" ? "a domain" : "everybody"}`;
    case "pasid-iotlb":
      return what.page === null
        ? "translations of a PASID"
        : `${counted(2 ** what.mask, "page")} from IO page ${hex(what.page)} on, of a PASID`;
    case "context":
    case "pasid-cache":
      return "context entries";
    case "device-tlb":
      return `what a device has kept of ${counted(2 ** what.mask, "page")} from ${hex(what.page)} on`;
    case "interrupt-entry":
      return "interrupt entries";
    case "wait":
      return "nothing";
  }
}
