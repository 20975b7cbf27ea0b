/**
 * The reverse map: which shadow entries map a guest frame.
 *
 * Needed to take write permission away when the frame turns out to be a table. An entry's place is packed as
 * table id * 512 + index. Most frames have one entry, so its place is kept as it is; more make an array.
 *
 * Source: KVM `Documentation/virt/kvm/x86/mmu.rst`, "reverse map", which has single entries in place too.
 */
import { type Gfn, entriesPerTable } from "../../machine/address.ts";

const none: readonly number[] = [];

export class FrameMap {
  private readonly places = new Map<Gfn, number | number[]>();
  /** By table: the frame of each of its entries plus one, 0 for none; then how many there are. */
  private readonly tables = new Map<number, Int32Array>();

  of(gfn: Gfn): readonly number[] {
    const places = this.places.get(gfn) ?? none;
    return typeof places === "number" ? [places] : places;
  }

  /** The frame that the entry at `place` maps. */
  frameAt(place: number): Gfn | undefined {
    const table = this.tables.get(Math.floor(place / entriesPerTable));
    const known = table?.[place % entriesPerTable] ?? 0;
    return known === 0 ? undefined : ((known - 1) as Gfn);
  }

  add(gfn: Gfn, place: number): void {
    const id = Math.floor(place / entriesPerTable);
    let table = this.tables.get(id);
    if (table === undefined) {
      table = new Int32Array(entriesPerTable + 1);
      this.tables.set(id, table);
    }
    table[place % entriesPerTable] = gfn + 1;
    table[entriesPerTable]! += 1;
    const places = this.places.get(gfn);
    if (places === undefined) this.places.set(gfn, place);
    else if (typeof places === "number") this.places.set(gfn, [places, place]);
    else places.push(place);
  }

  /** Forgets the entry at `place`. */
  remove(place: number): void {
    const gfn = this.frameAt(place);
    if (gfn === undefined) return;
    this.forget(place);
    const places = this.places.get(gfn);
    if (places === undefined) return;
    if (typeof places === "number") {
      this.places.delete(gfn);
      return;
    }
    places[places.indexOf(place)] = places[places.length - 1]!;
    places.pop();
    if (places.length === 0) this.places.delete(gfn);
  }

  private forget(place: number): void {
    const id = Math.floor(place / entriesPerTable);
    const table = this.tables.get(id)!;
    table[place % entriesPerTable] = 0;
    table[entriesPerTable]! -= 1;
    if (table[entriesPerTable] === 0) this.tables.delete(id);
  }
}
