/**
 * The reverse map: which shadow entries map a guest frame.
 *
 * Needed to take write permission away when the frame turns out to be a table. An entry's place is packed as
 * table id * 512 + index. Most frames have one entry, so its place is kept as it is; more make an array.
 *
 * Source: KVM `Documentation/virt/kvm/x86/mmu.rst`, "reverse map", which has single entries in place too.
 */
import type { Gfn } from "../../machine/address.ts";

const none: readonly number[] = [];

export class FrameMap {
  private readonly places = new Map<Gfn, number | number[]>();

  of(gfn: Gfn): readonly number[] {
    const places = this.places.get(gfn) ?? none;
    return typeof places === "number" ? [places] : places;
  }

  add(gfn: Gfn, place: number): void {
    const places = this.places.get(gfn);
    if (places === undefined) this.places.set(gfn, place);
    else if (typeof places === "number") this.places.set(gfn, [places, place]);
    else places.push(place);
  }

  /** Forgets that the entry at `place` maps the frame. */
  remove(gfn: Gfn, place: number): void {
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
}
