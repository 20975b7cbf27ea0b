/**
 * All shadow tables there are, found by what they mirror, by number, by what links to them.
 */
import { entriesPerTable, type Gfn, type Pfn } from "../../machine/address.ts";
import { frameOf, isLarge, isPresent, isSwitch } from "../../machine/formats/x86-entry.ts";
import type { FrameMemory } from "../../hypervisor/platform.ts";
import { keyOf, type ShadowTable, type TableName } from "./shadow-table.ts";

const none: readonly ShadowTable[] = [];

export class TableSet {
  private readonly bytes: FrameMemory;
  private readonly byId: (ShadowTable | undefined)[] = [];
  private readonly byKey = new Map<number, ShadowTable>();
  /** A table that goes leaves -1 everywhere: the next one of its number has this. A new array took a tenth of a fork. */
  private readonly framesById: Int32Array[] = [];
  /** A list never changes, so who goes through one may shadow and unshadow. */
  private readonly byGfn = new Map<Gfn, readonly ShadowTable[]>();

  constructor(bytes: FrameMemory) {
    this.bytes = bytes;
  }

  /** Shadows of a guest table. */
  of(gfn: Gfn): readonly ShadowTable[] {
    return this.byGfn.get(gfn) ?? none;
  }

  named(name: TableName): ShadowTable | undefined {
    return this.byKey.get(keyOf(name));
  }

  /** The table that holds the entry at `place`. */
  holding(place: number): ShadowTable {
    return this.byId[Math.floor(place / 512)]!;
  }

  create(name: TableName): ShadowTable {
    const pfn = this.bytes.allocateTable();
    const id = pfn - this.bytes.guestFrames;
    const { gfn, level, isDirect, role } = name;
    const frames = (this.framesById[id] ??= new Int32Array(entriesPerTable).fill(-1));
    const table = { id, gfn, level, isDirect, role, pfn, parents: new Set<number>(), frames };
    this.byId[id] = table;
    this.byKey.set(keyOf(name), table);
    if (!name.isDirect) this.byGfn.set(name.gfn, [...this.of(name.gfn), table]);
    return table;
  }

  /** Nobody finds it by name or number any more; `forgetFrame` ends the list of its guest table. */
  delete(table: ShadowTable): void {
    this.byKey.delete(keyOf(table));
    this.byId[table.id] = undefined;
    this.bytes.freeTable(table.pfn);
  }

  /** The frame is no guest table any more; false if it was none. */
  forgetFrame(gfn: Gfn): boolean {
    return this.byGfn.delete(gfn);
  }

  /** Frames that are guest tables. */
  frames(): Gfn[] {
    return [...this.byGfn.keys()];
  }

  /** Tables that mirror no guest table. */
  direct(): ShadowTable[] {
    return [...this.byKey.values()].filter(({ isDirect }) => isDirect);
  }

  /** The table that entry `index` links to, or null when it is a leaf or not present. */
  childAt(table: ShadowTable, index: number): ShadowTable | null {
    const { bytes } = this;
    const low = bytes.readLow(table.pfn, index);
    if (!isPresent(low) || table.level === 1 || isLarge(low) || isSwitch(low)) return null;
    const pfn = frameOf(low, bytes.readHigh(table.pfn, index)) as Pfn;
    return this.byId[pfn - bytes.guestFrames] ?? null;
  }

  /** The entries at these places, such as a table's parents. */
  entriesAt(places: Iterable<number>): { readonly above: ShadowTable; readonly index: number }[] {
    return [...places].flatMap((place) => {
      const above = this.byId[Math.floor(place / 512)];
      return above === undefined ? [] : [{ above, index: place % 512 }];
    });
  }
}
