/**
 * The shadow tables of trap-on-write shadow paging: one per guest table and level, always up to date.
 *
 * A shadow table mirrors the guest's, entry by entry, with frames replaced: links lead to the shadow of the
 * guest's next table, leaves to host frames. The guest's rights stay at the level where the guest put them,
 * so silicon composes them. Guest pages larger than the host's get a table without a guest twin ("direct").
 * A frame that is a guest table is mapped read-only wherever it is mapped: that is how stores are seen.
 *
 * Source: Adams & Agesen 2006, section 2.3 "Traces"; SDM vol. 3C 33.3 "Memory Virtualization".
 */
import { type Gfn, levelOfOrder, pagesPerEntry, type Pfn } from "../../machine/address.ts";
import * as x86Entry from "../../machine/formats/x86-entry.ts";
import type { FrameRange } from "../../hypervisor/dirty/frame-ranges.ts";
import { neighboursIn } from "../../hypervisor/memory/notifier.ts";
import { FrameMap } from "./frame-map.ts";
import { LeafMaps } from "./leaf-maps.ts";
import { reachedFrame } from "../../hypervisor/policy/judge.ts";
import { presentIn, presentInShadow, type ShadowParts } from "./shadow-table.ts";
import type { ShadowTable, TableName } from "./shadow-table.ts";
import { allowed, closed, openToStack, mayStayLarge } from "./leaf-rights.ts";
import { TableSet } from "./table-set.ts";
import { firstIn, largeLevels, TableRegions } from "./table-regions.ts";

// Names of its own: see guest-walk.ts.
const { frameOf, highHalf, lowHalf, noExecute, nxOf, pageFor } = x86Entry;
const { asLarge, asSwitch, isDirty, isLarge, isPresent, isSwitch, isUsable } = x86Entry;
const { withoutWrite } = x86Entry;

export class ShadowTables {
  /** A writable mapping or a table went away: cached translations must go before the guest runs on. */
  flushNeeded = false;
  private readonly parts: ShadowParts;
  readonly set: TableSet;
  readonly leaves = new LeafMaps();
  /** Entries that lead to the guest's own table, by its frame. */
  readonly switches = new FrameMap();
  readonly regions: TableRegions;

  constructor(parts: ShadowParts) {
    this.parts = parts;
    this.set = new TableSet(parts.bytes);
    this.regions = new TableRegions(parts.memory.frames);
  }

  isTable(gfn: Gfn): boolean {
    return this.regions.isTable(gfn);
  }

  /** The shadow of guest table `gfn` at `level`, with everything reachable below it. */
  shadow(gfn: Gfn, level: number, role: number): ShadowTable {
    const name = { gfn, level, isDirect: false, role };
    const known = this.set.named(name);
    if (known !== undefined) return known;
    const table = this.create(name);
    if (!this.isTable(gfn)) this.regions.add(gfn);
    this.writeProtect(gfn);
    this.parts.beside?.shadowed(gfn);
    this.mirrorAll(table);
    return table;
  }

  /** Makes every entry say what the guest's says now. */
  mirrorAll(table: ShadowTable): void {
    for (const index of presentIn(this.parts, table)) this.mirror(table, index);
  }

  /** Makes entry `index` say what the guest's says now. Entries with A=0 wait for the hidden fault. */
  mirror(table: ShadowTable, index: number): void {
    const { memory, policy } = this.parts;
    const word = memory.wordsOf(table.gfn) | (index << 1);
    const low = memory.words[word]!;
    const high = memory.words[word | 1]!;
    const gfn = frameOf(low, high) as Gfn;
    if (!isUsable(low, high, table.level) || gfn >= memory.frames) return this.drop(table, index);
    const rights = pageFor(0) | (low & this.parts.keptFlags) | nxOf(high);
    const leafRights = isDirty(low) ? rights : closed(this.parts, withoutWrite(rights));
    if (table.level === 1) {
      this.setLeaf(table, index, gfn, leafRights);
    } else if (isLarge(low)) {
      this.setLarge(table, index, (gfn - (gfn % pagesPerEntry(table.level))) as Gfn, leafRights);
    } else if (policy?.isHidden(gfn)) {
      this.drop(table, index);
    } else if (this.parts.beside?.isSwitched(gfn) === true) {
      this.switchTo(table, index, gfn, rights);
    } else {
      this.link(table, index, this.shadow(gfn, table.level - 1, this.below(table, index)), rights);
    }
  }

  /** The role of the table below entry `index`. */
  private below({ role }: ShadowTable, index: number): number {
    return role === 0 ? 0 : this.parts.policy!.pages.below(role, index);
  }

  /** `gfn` is no table any more: its shadows go, and it may be written again. */
  unshadow(gfn: Gfn): void {
    const { bytes } = this.parts;
    for (const table of this.set.of(gfn)) {
      for (const { above, index } of this.set.entriesAt(table.parents))
        bytes.write(above.pfn, index, 0, 0);
      this.forget(table);
    }
    if (this.set.forgetFrame(gfn)) {
      this.regions.remove(gfn);
      this.parts.beside?.unshadowed(gfn);
    }
    this.flushNeeded = true;
  }

  /** Takes write permission from every leaf that maps `gfn`. */
  writeProtect(gfn: Gfn): void {
    for (const place of this.leaves.at(gfn, 1)) this.protect(place);
    // A large leaf around a table would let stores through; it comes back in smaller pieces.
    this.dropHuge(gfn);
  }

  /** Every large leaf that maps `gfn` goes. */
  dropHuge(gfn: Gfn): void {
    for (const level of largeLevels) this.dropAll(this.leaves.at(gfn, level));
  }

  /** Takes write permission from every large leaf that maps `gfn`. */
  protectHuge(gfn: Gfn): void {
    for (const level of largeLevels)
      for (const place of this.leaves.at(gfn, level)) this.protect(place);
  }

  /** The table of the pieces of a large page of `level`, if there is one and a leaf as large could stand in its place. */
  piecesOf(first: Gfn, level: number): ShadowTable | null {
    const table = this.set.named({ gfn: first, level: level - 1, isDirect: true, role: 0 });
    return table !== undefined && this.mayBeLarge(first, level) ? table : null;
  }

  /** The host took a frame of `range`: every leaf that maps it goes. Returns how many frames outside went with it. */
  dropFrame(gfn: Gfn, range: FrameRange): number {
    let neighbours = 0;
    for (const level of largeLevels) {
      const large = { first: firstIn(gfn, level), frames: pagesPerEntry(level) };
      const leaves = this.leaves.at(gfn, level);
      if (leaves.length > 0) neighbours += leaves.length * neighboursIn(large, range);
      this.dropAll(leaves);
    }
    this.dropAll(this.leaves.at(gfn, 1));
    this.dropAll(this.switches.of(gfn));
    return neighbours;
  }

  /** Every leaf that maps the frame, of either size. */
  leavesOf(gfn: Gfn): { readonly table: Pfn; readonly index: number }[] {
    return this.leaves.all(gfn).map((place) => {
      return { table: this.set.holding(place).pfn, index: place % 512 };
    });
  }

  /** Is the host's page around `gfn` as large as a leaf of `level`, and no table in what that maps? */
  private mayBeLarge(gfn: Gfn, level: number): boolean {
    const isHostLarge = levelOfOrder(this.parts.memory.orderOf(gfn)) >= level;
    return isHostLarge && !this.regions.holds(gfn, level) && !this.parts.memory.isHole(gfn);
  }

  private dropAll(places: readonly number[]): void {
    for (const place of places.slice()) {
      this.drop(this.set.holding(place), place % 512);
      this.flushNeeded = true;
    }
  }

  private protect(place: number): void {
    const { bytes } = this.parts;
    const table = this.set.holding(place);
    const low = bytes.readLow(table.pfn, place % 512);
    const left = closed(this.parts, withoutWrite(low));
    if (left === low) return;
    bytes.write(table.pfn, place % 512, left, bytes.readHigh(table.pfn, place % 512));
    this.parts.ledger().entriesWriteProtected += 1;
    this.flushNeeded = true;
  }

  private create(name: TableName): ShadowTable {
    this.parts.ledger().shadowPagesAllocated += 1;
    return this.set.create(name);
  }

  /** The table goes, and what its entries say. */
  forget(table: ShadowTable): void {
    for (const index of presentInShadow(this.parts, table)) this.drop(table, index);
    this.set.delete(table);
    this.parts.ledger().shadowPagesZapped += 1;
  }

  private link(table: ShadowTable, index: number, child: ShadowTable, rights: number): void {
    const { bytes, ledger } = this.parts;
    const low = lowHalf(child.pfn, rights & ~noExecute);
    const high = highHalf(child.pfn, nxOf(rights));
    if (bytes.readLow(table.pfn, index) === low && bytes.readHigh(table.pfn, index) === high)
      return;
    this.drop(table, index);
    bytes.write(table.pfn, index, low, high);
    child.parents.add(table.id * 512 + index);
    ledger().entriesFilled += 1;
  }

  /** Silicon walks on in the guest's own table, and sets A and D there. */
  private switchTo(table: ShadowTable, index: number, gfn: Gfn, rights: number): void {
    const { bytes, memory, ledger } = this.parts;
    if (memory.isHole(gfn)) return this.drop(table, index);
    const pfn = memory.touchForWrite(gfn);
    const low = lowHalf(pfn, asSwitch(rights & ~noExecute));
    this.drop(table, index);
    bytes.write(table.pfn, index, low, highHalf(pfn, nxOf(rights)));
    this.switches.add(gfn, table.id * 512 + index);
    table.frames[index] = gfn;
    ledger().entriesFilled += 1;
  }

  setLeaf(table: ShadowTable, index: number, walked: Gfn, asked: number): void {
    const { memory, tracker, ledger, policy } = this.parts;
    let gfn = walked;
    let rights = asked;
    if (policy !== null) {
      const page = policy.pages.pageAt(table.role, index);
      gfn = reachedFrame(policy, page, walked);
      rights = allowed(policy, page, gfn, asked);
    }
    if (rights === 0 || memory.isHole(gfn)) return this.drop(table, index);
    const pfn = memory.touch(gfn);
    const isTable = this.isTable(gfn);
    const isReadOnly = isTable || !tracker.mayMapWritable(gfn) || !memory.isWritable(gfn);
    // Other rights for the same frame, as after mprotect: the reverse map need not forget and learn it again.
    if (table.frames[index] === gfn) {
      ledger().entriesDropped += 1;
    } else {
      this.drop(table, index);
      this.leaves.add(gfn, 1, table.id * 512 + index);
      table.frames[index] = gfn;
    }
    const left = isReadOnly ? withoutWrite(rights) : rights;
    const right = closed(this.parts, left);
    const isPlain = right === left || isTable;
    this.write(table, index, pfn, isPlain ? right : openToStack(this.parts, gfn, asked, left));
    ledger().entriesFilled += 1;
  }

  /** Every shadow goes; what is needed is made again, by the rules of then. */
  unshadowAll(): void {
    for (const gfn of this.set.frames()) this.unshadow(gfn);
    for (const table of this.set.direct()) this.forget(table);
  }

  /** A large guest page: one leaf if the host's page is as large and holds no table, else a direct table. */
  setLarge(table: ShadowTable, index: number, gfn: Gfn, rights: number): void {
    const { memory, tracker, ledger } = this.parts;
    const pfn = memory.touch(gfn);
    const { level } = table;
    const role = this.below(table, index);
    if (
      role === 0 &&
      mayStayLarge(this.parts) &&
      this.mayBeLarge(gfn, level) &&
      !tracker.needsSmall(gfn, level)
    ) {
      this.drop(table, index);
      const left = memory.isWritable(gfn) ? rights : withoutWrite(rights);
      this.write(table, index, pfn, asLarge(left));
      this.leaves.add(gfn, level, table.id * 512 + index);
      table.frames[index] = gfn;
      ledger().entriesFilled += 1;
      return;
    }
    const name = { gfn, level: level - 1, isDirect: true, role };
    const child = this.set.named(name) ?? this.create(name);
    this.link(table, index, child, rights);
  }

  /** Rights are flags of an entry's low half, and `noExecute`, which is none of them. */
  private write({ pfn: table }: ShadowTable, index: number, pfn: Pfn, rights: number): void {
    this.parts.bytes.writeEntry(table, index, pfn, rights & ~noExecute, nxOf(rights));
  }

  /** Clears entry `index` and everything that remembers it. */
  drop(table: ShadowTable, index: number): void {
    const { bytes, ledger } = this.parts;
    const low = bytes.readLow(table.pfn, index);
    if (!isPresent(low)) return;
    const place = table.id * 512 + index;
    const child = this.set.childAt(table, index);
    if (child !== null) {
      child.parents.delete(place);
      // Silicon holds the pieces of a large guest page one by one; the guest's INVLPG names only one of them.
      if (child.isDirect) this.flushNeeded = true;
    } else {
      const gfn = table.frames[index]! as Gfn;
      if (isSwitch(low)) this.switches.remove(gfn, place);
      else this.leaves.remove(gfn, table.level, place);
      table.frames[index] = -1;
    }
    bytes.write(table.pfn, index, 0, 0);
    ledger().entriesDropped += 1;
  }
}
