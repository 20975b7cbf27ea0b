/**
 * The knobs of Linux's `dirty_log_perf_test`, checked, and where the memory of its guest lies.
 *
 * Source: Linux tools/testing/selftests/kvm/dirty_log_perf_test.c, lib/memstress.c.
 */
import {
  entriesPerTable,
  type Gfn,
  type HostPageSize,
  orderOfSize,
} from "../../machine/address.ts";
import type { DirtyLogOptions } from "../../hypervisor/dirty/dirty-log-options.ts";
import type { Preset } from "../../machine/presets.ts";
import type { CreateEngine } from "../../hypervisor/engine.ts";
import { ConfigError, quote } from "../../bench/input/config-error.ts";

export interface DirtyLogSettings {
  readonly engine: string;
  readonly factory: CreateEngine;
  readonly preset: Preset;
  /** Memory of each vCPU, in 4 KiB pages. */
  readonly pagesPerVcpu: number;
  readonly vcpus: number;
  /** Each vCPU has a region of its own, or all of them go over all memory. */
  readonly regions: "partitioned" | "overlapping";
  readonly order: "sequential" | "random";
  /** Share of accesses that are writes, in percent. */
  readonly writePercent: number;
  /** Memslots that the memory is divided into; each is logged, read and cleared by itself. */
  readonly slots: number;
  /** Pages that one clear covers; null: a memslot at once. */
  readonly clearPages: number | null;
  readonly backing: HostPageSize;
  /** Rounds of dirty, get and clear. */
  readonly iterations: number;
  /** What the vCPUs do while logging ends. */
  readonly disabling: "stopped" | "running";
  readonly dirtyLog: Partial<DirtyLogOptions>;
  readonly seed: number;
}

/** Frames of the guest: page tables below, the memory under test at the top, aligned to 2 MiB and to host pages. */
export interface Layout {
  readonly guestFrames: number;
  /** First frame and number of frames of the memory under test. */
  readonly first: Gfn;
  readonly pages: number;
}

const unitBytes: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
/** Tables of a few levels above the leaf tables, and the frames below the first one. */
const spareFrames = 512;
const pagesMax = 2 ** 24;

/** `10M` or `1G` in 4 KiB pages. */
export function pagesOf(option: string, text: string): number {
  const [, digits = "", unit = ""] = /^([0-9]+)([KMG]?)$/i.exec(text) ?? [];
  const pages = (Number(digits) * (unitBytes[unit.toUpperCase()] ?? 0)) / 4096;
  if (digits !== "" && Number.isInteger(pages) && pages >= 1 && pages <= pagesMax) return pages;
  throw new ConfigError(
    `${option} ${quote(text)}: must be a size in bytes such as 10M or 3G, a multiple of 4096, up to 64G`,
  );
}

/** Entries of a dirty ring: KVM takes powers of two only, with room beside its reserve of 64 and a PML buffer. */
const ringEntriesMin = 1024;
const ringEntriesMax = 65_536;

/** A ring's size, `4096` or `4K`; 0 is no ring, so null. */
export function ringEntriesOf(option: string, text: string): number | null {
  const [, digits = "", unit = ""] = /^([0-9]+)(K?)$/i.exec(text) ?? [];
  const entries =
    digits === "" ? Number.NaN : Number(digits) * (unitBytes[unit.toUpperCase()] ?? 1);
  if (entries === 0) return null;
  const isInRange = entries >= ringEntriesMin && entries <= ringEntriesMax;
  if (isInRange && Number.isInteger(Math.log2(entries))) return entries;
  throw new ConfigError(
    `${option} ${quote(text)}: must be a power of two from ${ringEntriesMin} to ${ringEntriesMax}, or 0 for the bitmap`,
  );
}

/** KVM clears whole words of its bitmap. */
const clearPagesStep = 64;

/** What one clear covers, `1M` or `3G`, in pages. */
export function clearPagesOf(option: string, text: string): number {
  const pages = pagesOf(option, text);
  if (pages % clearPagesStep === 0) return pages;
  throw new ConfigError(
    `${option} ${quote(text)}: must be a multiple of 256K, which KVM clears at once`,
  );
}

/** Throws a `ConfigError` for memory that the slots cannot divide, or that is too much. */
export function layoutOf({ pagesPerVcpu, vcpus, slots, backing }: DirtyLogSettings): Layout {
  const pages = pagesPerVcpu * vcpus;
  if (pages > pagesMax) {
    throw new ConfigError(`-b times -v: ${pages} pages, at most ${pagesMax} (64 GiB)`);
  }
  if (pages % slots !== 0) {
    throw new ConfigError(`-x ${slots}: must divide the guest's ${pages} pages evenly`);
  }
  const tables = Math.ceil(pages / entriesPerTable) * 2 + spareFrames;
  const alignment = Math.max(512, 2 ** orderOfSize(backing));
  const first = Math.ceil(tables / alignment) * alignment;
  return { guestFrames: first + pages, first: first as Gfn, pages };
}
