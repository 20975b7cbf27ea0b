/**
 * The reverse map: which shadow entries map a guest frame.
 *
 * Needed to take write permission away when the frame turns out to be a table. An entry's place is packed as
 * table id * 512 + index. Most frames have one or two entries, so a short array does.
 *
 * Source: KVM `Documentation/virt/kvm/x86/mmu.rst`, "reverse map".
 */
import type { Gfn } from "../../machine/address.ts";

const none: readonly number[] = [];

export class FrameMap {
  private readonly places = new Map<Gfn, number[]>();
  private readonly frames = new Map<number, Gfn>();

  of(gfn: Gfn): readonly number[] {
    return this.places.get(gfn) ?? none;
  }

  /** The frame that the entry at `place` maps. */
  frameAt(place: number): Gfn | undefined {
    return this.frames.get(place);
  }

  add(gfn: Gfn, place: number): void {
    this.frames.set(place, gfn);
    const places = this.places.get(gfn);
    if (places === undefined) this.places.set(gfn, [place]);
    else places.push(place);
  }

  /** Forgets the entry at `place`. */
  remove(place: number): void {
    const gfn = this.frames.get(place);
    if (gfn === undefined) return;
    this.frames.delete(place);
    const places = this.places.get(gfn);
    if (places === undefined) return;
    const at = places.indexOf(place);
    places[at] = places[places.length - 1]!;
    places.pop();
    if (places.length === 0) this.places.delete(gfn);
  }
}
