/**
 * The guest that attacks run in: one page that is guarded, the tables above it, a direct map, frames of the attacker.
 *
 *     frame 16            root; 17..20 tables of the direct map, which shows all 1024 frames
 *     frames 21, 22, 23   PDPT, PD and page table of the guarded page T
 *     frame 40            t, what T maps
 *     frame 45            code of a monitor's, where there is one
 *     frames 50..54       the attacker's: e and e1 to e4
 *
 * All of it is in the kernel half, and A and D are set everywhere, so that no exit of an attack is owed to anything but
 * the attack.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import { kernelPage, withoutWrite } from "../../machine/formats/x86-entry.ts";
import { BootImage, entryTo } from "../../check/fuzz/program.ts";

export const guestFrames = 1024;

const pagesPerTop = 512 ** 3;
const directTop = 256;
const guardedTop = 260;

export const frames = {
  root: 16 as Gfn,
  pdpt: 21 as Gfn,
  pd: 22 as Gfn,
  pt: 23 as Gfn,
  /** What the guarded page maps. */
  target: 40 as Gfn,
  monitor: 45 as Gfn,
  evil: 50 as Gfn,
  /** Room for copies of tables. */
  spare: [51, 52, 53, 54] as Gfn[],
} as const;

/** Entry of the page directory that the attack by emulator links its table to. */
const freeDirectoryIndex = 7;

/** The guarded page: kernel text or data that must stay what it is. */
export const guarded = (guardedTop * pagesPerTop + 3 * 512 + 5) as Vpn;
/** The page behind it in the same table: the attacker's, and writable. */
export const attackers = (guarded + 1) as Vpn;
/** A page whose table would be whatever the free directory entry links. */
export const behindFreeEntry = (guardedTop * pagesPerTop + freeDirectoryIndex * 512) as Vpn;

/** Indexes of the guarded page's entries in its table and its directory, and of the free directory entry. */
export const places = {
  leaf: indexAt(guarded, 1),
  directory: indexAt(guarded, 2),
  free: freeDirectoryIndex,
  pdpt: indexAt(guarded, 3),
  root: guardedTop,
} as const;

/** The page of the direct map that shows a frame. */
export function direct(gfn: Gfn): Vpn {
  return (directTop * pagesPerTop + gfn) as Vpn;
}

export const tableFlags = kernelPage;
export const readOnly = withoutWrite(kernelPage);

export function buildImage(): BootImage {
  const image = new BootImage();
  const { root, pdpt, pd, pt, target, evil } = frames;
  const [directPdpt, directPd] = [17 as Gfn, 18 as Gfn];
  image.set(root, directTop, entryTo(directPdpt, tableFlags));
  image.set(directPdpt, 0, entryTo(directPd, tableFlags));
  for (let gfn = 0; gfn < guestFrames; gfn++) {
    const table = (19 + Math.floor(gfn / 512)) as Gfn;
    if (gfn % 512 === 0) image.set(directPd, gfn / 512, entryTo(table, tableFlags));
    image.set(table, gfn % 512, entryTo(gfn, tableFlags));
  }
  image.set(root, guardedTop, entryTo(pdpt, tableFlags));
  image.set(pdpt, places.pdpt, entryTo(pd, tableFlags));
  image.set(pd, places.directory, entryTo(pt, tableFlags));
  image.set(pt, places.leaf, entryTo(target, readOnly));
  image.set(pt, places.leaf + 1, entryTo(evil, tableFlags));
  return image;
}
