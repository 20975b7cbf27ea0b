/**
 * The wire between two hosts: bytes take time, one after the other.
 *
 * Source: QEMU migration/ram.c (`save_page_header`, `save_zero_page`): 8 bytes of offset and flags before a
 * page; one byte instead of a page of zeros.
 */
export const pageBytes = 4096;
const headerBytes = 8;
/** A page with its header, and the marker that stands for a page of zeros. */
export const sentPageBytes = headerBytes + pageBytes;
export const zeroMarkerBytes = headerBytes + 1;

export class Link {
  readonly bytesPerMs: number;
  /** When everything handed over so far has arrived, in ms of simulated time. */
  freeAtMs = 0;
  bytes = 0;

  constructor(bandwidthBitsPerSecond: number) {
    this.bytesPerMs = bandwidthBitsPerSecond / 8 / 1000;
  }

  send(bytes: number): void {
    this.bytes += bytes;
    this.freeAtMs += bytes / this.bytesPerMs;
  }

  /** The sender does something else: the wire is idle for so long. */
  pause(ms: number): void {
    this.freeAtMs += ms;
  }

  /** Nothing could be sent before `ms`. */
  waitUntil(ms: number): void {
    if (this.freeAtMs < ms) this.freeAtMs = ms;
  }
}
