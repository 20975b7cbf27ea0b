/**
 * Pages still to send, taken in a circle as QEMU does: the search goes on behind the page found last.
 *
 * Source: QEMU migration/ram.c `find_dirty_block`, `migration_bitmap_find_dirty`.
 */
export class PageSet {
  /** How many pages it holds. */
  size = 0;
  private readonly holds: Uint8Array;
  private cursor = 0;

  constructor(frames: number) {
    this.holds = new Uint8Array(frames);
  }

  has(gfn: number): boolean {
    return this.holds[gfn] === 1;
  }

  add(gfn: number): void {
    if (this.holds[gfn] !== 0) return;
    this.holds[gfn] = 1;
    this.size += 1;
  }

  addAll(): void {
    this.holds.fill(1);
    this.size = this.holds.length;
  }

  delete(gfn: number): void {
    if (this.holds[gfn] !== 1) return;
    this.holds[gfn] = 0;
    this.size -= 1;
  }

  /** The next page at or behind the cursor, then from the start; -1 when it is empty. Takes nothing out. */
  next(): number {
    if (this.size === 0) return -1;
    const ahead = this.holds.indexOf(1, this.cursor);
    this.cursor = ahead === -1 ? this.holds.indexOf(1) : ahead;
    return this.cursor;
  }

  /** The search goes on from here: what post-copy does behind a page that was asked for. */
  moveTo(gfn: number): void {
    this.cursor = gfn;
  }

  /** Calls `visit` for each run of neighbouring pages. */
  forEachRun(visit: (start: number, frames: number) => void): void {
    const { holds } = this;
    for (let start = holds.indexOf(1); start !== -1;) {
      const end = holds.indexOf(0, start);
      const stop = end === -1 ? holds.length : end;
      visit(start, stop - start);
      start = holds.indexOf(1, stop);
    }
  }
}
