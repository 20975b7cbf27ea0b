/**
 * Rules for a fuzzed guest: locks on its data, its tables and its pages, frames that it must not see.
 */
import type { Prng } from "../../guest/prng.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { dataFrame, firstData, type GuestImage } from "../../check/fuzz/guest-image.ts";

/** All rights that a page can have: execute, write, user. */
export const allAccess = 7;

/** One to four rules that the boot image of the guest does not break. */
export function drawRules(prng: Prng, guest: GuestImage): PolicyRule[] {
  return Array.from({ length: 1 + prng.below(4) }, () => drawRule(prng, guest));
}

function drawRule(prng: Prng, guest: GuestImage): PolicyRule {
  const start = (firstData + prng.below(24)) as Gfn;
  const frames = 1 + prng.below(3);
  const kind = prng.below(12);
  if (kind < 4) return { kind: "lock-frames", start, frames };
  if (kind === 4) return { kind: "lock-frames", start: pick(prng, tablesOf(guest)), frames: 1 };
  if (kind === 5) return { kind: "hide-frames", start, frames: 1 };
  if (kind === 6) return { kind: "hide-frames", start: pick(prng, guest.spareTables), frames: 1 };
  if (kind >= 10) return { kind: "lock-lines", start, frames, lines: drawLines(prng) };
  const access = prng.chance(50) ? allAccess : prng.below(allAccess);
  if (kind === 7) {
    const i = prng.below(guest.userPages.length);
    const vpn = guest.userPages[i] ?? (0 as Vpn);
    return { kind: "lock-pages", start: vpn, pages: 1, first: dataFrame(0, i), access };
  }
  const page = (guest.directMap + start) as Vpn;
  return { kind: "lock-pages", start: page, pages: frames, first: start, access };
}

/** One line of a page, half of them, or all but one. */
function drawLines(prng: Prng): number {
  if (prng.chance(50)) return 2 ** prng.below(32);
  return [0x5555_5555, 0xffff_0000][prng.below(3)] ?? 0xffff_fffe;
}

function tablesOf({ spaces, spareTables }: GuestImage): readonly Gfn[] {
  return [...spaces.flatMap(({ tables }) => [...tables.values()]), ...spareTables];
}

function pick(prng: Prng, frames: readonly Gfn[]): Gfn {
  return frames[prng.below(frames.length)] ?? (0 as Gfn);
}
