import type { Geometry, Preset } from "../presets.ts";
import { columnLength } from "../mmu.ts";
import { preset } from "./given.ts";
import { leavesLength } from "./tags.ts";

/** Typed arrays that lie in one buffer. */
export interface Room {
  int32(length: number): Int32Array;
  int16(length: number): Int16Array;
  uint8(length: number): Uint8Array;
  /** Remembers what all arrays hold; the function returned brings that back. */
  remember(): () => void;
}

function createRoom(bytes: number): Room {
  const buffer = new ArrayBuffer(bytes);
  let used = 0;
  const take = (size: number): number => {
    const at = used;
    used += Math.ceil(size / 4) * 4;
    return at;
  };
  return {
    int32: (length) => new Int32Array(buffer, take(4 * length), length),
    int16: (length) => new Int16Array(buffer, take(2 * length), length),
    uint8: (length) => new Uint8Array(buffer, take(length), length),
    remember() {
      const all = new Uint8Array(buffer, 0, used);
      const kept = all.slice();
      return () => all.set(kept);
    },
  };
}

/** What all structures of a preset need at most, columns included. */
function roomFor({ l1Data, l1Code, stlb, stlb1g, pwc, nestedPwc, nestedTlb }: Preset): number {
  const all = [l1Data, l1Code, pwc, nestedPwc, { stlb, stlb1g, nestedTlb }];
  const geometries: (Geometry | null)[] = all.flatMap((part) => Object.values(part));
  const entries = geometries.reduce((sum, g) => sum + (g === null ? 0 : g.sets * g.ways), 0);
  return 8 * columnLength + 8 * leavesLength + 64 * entries + 0x2_0000;
}

export const room = createRoom(roomFor(preset));
