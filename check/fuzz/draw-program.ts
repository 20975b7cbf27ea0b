/**
 * Draws one program: what machine the guest thinks it has, and what it does.
 */
import type { Prng } from "../../guest/prng.ts";
import { buildImage, type GuestImage, memoryFrames } from "./guest-image.ts";
import { GuestScript } from "./guest-script.ts";
import { writeOrderly } from "./orderly.ts";
import type { Program } from "./program.ts";
import { writeWild } from "./wild.ts";

export function drawProgram(prng: Prng, ops: number): Program {
  return drawGuest(prng, ops).program;
}

/** The same, with the layout that the program starts from. */
export function drawGuest(
  prng: Prng,
  ops: number,
): { readonly program: Program; readonly guest: GuestImage } {
  const isOrderly = prng.chance(40);
  const levels = prng.chance(20) ? 5 : 4;
  const globalPages = prng.chance(60);
  const usesPcid = prng.chance(60);
  const vcpus = prng.chance(60) ? 1 : 2 + prng.below(2);
  const guest = buildImage({
    levels,
    spaces: 1 + prng.below(3),
    direct: prng.chance(75) ? "4k" : "2m",
    globalKernel: prng.chance(50),
    selfMap: !isOrderly && prng.chance(60),
  });
  const root = guest.spaces[0]?.root;
  if (root === undefined) throw new Error("bug: fuzz: a guest without an address space");
  const fills = guest.image.fills();
  const script = new GuestScript({ guest, prng, vcpus, usesPcid, globalPages });
  if (isOrderly) writeOrderly(script, ops);
  else writeWild(script, ops);
  const program: Program = {
    header: {
      version: 3,
      memoryFrames,
      vcpus,
      backing: prng.chance(70) ? "4k" : "2m",
      // Few enough that a lazy shadow engine has to recycle, more than a walk needs.
      shadowPagesMax: prng.chance(30) ? 64 + prng.below(60) : null,
      dirtyLogArmedBy: null,
      registers: { writeProtect: true, globalPages, pcid: usesPcid, levels },
      fills,
      boot: { root, pcid: 0, keep: false },
    },
    groups: script.groups,
    isOrderly,
  };
  return { program, guest };
}
