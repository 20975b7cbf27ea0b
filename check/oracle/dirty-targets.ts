/**
 * For tests: every way to log that the engines offer, by name: engines as they are, and with other policies.
 */
import type { DirtyProgram } from "./dirty-program.ts";

export type DirtyTarget = Pick<DirtyProgram, "engine" | "dirtyLog">;

/** Rings small enough to fill between two gets: 8 entries beside the reserve. */
const smallRing = { ringEntries: 64 + 8 };
const smallPmlRing = { ringEntries: 64 + 512 + 8 };

export const targets = {
  "ept-wp": { engine: "ept-wp" },
  "ept-wp, split when written": { engine: "ept-wp", dirtyLog: { split: "when-written" } },
  "ept-wp, initially set": { engine: "ept-wp", dirtyLog: { armedBy: "clear-initially-set" } },
  "ept-wp, ring": { engine: "ept-wp", dirtyLog: smallRing },
  "ept-wp-manual": { engine: "ept-wp-manual" },
  "ept-wp-manual, split when written": {
    engine: "ept-wp-manual",
    dirtyLog: { split: "when-written", collapse: "at-once" },
  },
  "ept-ad": { engine: "ept-ad" },
  "ept-ad, cleared, split when written": {
    engine: "ept-ad",
    dirtyLog: { armedBy: "clear", split: "when-written" },
  },
  "ept-pml": { engine: "ept-pml", dirtyLog: { collapse: "at-once" } },
  "ept-pml, initially set": { engine: "ept-pml", dirtyLog: { armedBy: "clear-initially-set" } },
  "ept-pml-lazy": { engine: "ept-pml-lazy" },
  "ept-pml-lazy, initially set": {
    engine: "ept-pml-lazy",
    dirtyLog: { armedBy: "clear-initially-set", collapse: "never" },
  },
  "ept-ring": { engine: "ept-ring" },
  "ept-ring, small": { engine: "ept-ring", dirtyLog: smallPmlRing },
  "npt-wp": { engine: "npt-wp" },
  "shadow-wp": { engine: "shadow-wp" },
  "shadow-wp, cleared, split when written": {
    engine: "shadow-wp",
    dirtyLog: { armedBy: "clear", split: "when-written" },
  },
  "shadow-wp, ring": { engine: "shadow-wp", dirtyLog: smallRing },
  // L1 logs L2, and its write protection and D bits are in tables that L0 composes with its own.
  "ept-wp in a guest": { engine: "ept-wp@ept" },
  "ept-wp-manual in a guest, split when written": {
    engine: "ept-wp-manual@ept",
    dirtyLog: { split: "when-written", collapse: "at-once" },
  },
  "ept-ad in a guest": { engine: "ept-ad@ept" },
  "npt-wp in a guest": { engine: "npt-wp@npt" },
  "shadow-wp in a guest of EPT's": { engine: "shadow-wp@ept" },
  "shadow-wp in a guest of shadow's": { engine: "shadow-wp@shadow-lazy" },
} as const satisfies Record<string, DirtyTarget>;
