/**
 * What a program of a device and its driver is: straight-line calls on `DeviceIo`, the same under every scheme.
 */
import type { Prng } from "../../guest/prng.ts";

/** Memory that a driver has taken; what it looks like is the machine's. */
export interface DmaBuffer {
  readonly pages: number;
}

/** A buffer that a device may reach, until it is unmapped. */
export interface DmaHandle {
  readonly pages: number;
}

/** Whose way the data goes: to the device, from it, or both. */
export type DmaDirection = "to-device" | "from-device" | "both";

export interface DeviceIo {
  /** Memory for good: pages that follow each other (from 512 on aligned to 2 MiB), or none that does. */
  buffer(pages: number, layout: "contiguous" | "scattered"): DmaBuffer;
  map(buffer: DmaBuffer, direction: DmaDirection): DmaHandle;
  unmap(handle: DmaHandle): void;
  /** The device reads or writes pages [from, from + pages) of what it was given. */
  read(handle: DmaHandle, from: number, pages: number): void;
  write(handle: DmaHandle, from: number, pages: number): void;
  /** Time passes, in microseconds. */
  pass(microseconds: number): void;
  /** Set-up is over; counts start here. */
  measure(): void;
}

type DeviceParams = Readonly<Record<string, number | string>>;

export interface DeviceProgram<P extends DeviceParams = DeviceParams> {
  readonly title: string;
  /** What it shows, in a sentence. */
  readonly summary: string;
  readonly defaults: P;
  /** Pages of memory that its buffers take. */
  bufferPages(params: P): number;
  run(io: DeviceIo, params: P, prng: Prng): void;
}
