/**
 * How much of a guest's memory is pinned while a run goes on: noted at each mapping, unmapping and access, kept thinly.
 *
 * A run's length is known at its end only, so every second note goes, again and again, whenever there are too many.
 */
const notesMax = 1024;

export class PinnedTimeline {
  private notes: number[] = [];
  /** Each of how many notes is kept, and how many have passed since. */
  private stride = 1;
  private passed = 0;

  /** Pages that are pinned now. */
  note(pages: number): void {
    this.passed += 1;
    if (this.passed < this.stride) return;
    this.passed = 0;
    this.notes.push(pages);
    if (this.notes.length < notesMax) return;
    this.notes = this.notes.filter((_, i) => i % 2 === 1);
    this.stride *= 2;
  }

  restart(): void {
    this.notes = [];
    this.stride = 1;
    this.passed = 0;
  }

  /** Pages at the end of each of so many equal parts of the run; none, where nothing was mapped. */
  atEnds(parts: number): readonly number[] {
    if (this.notes.length === 0) return [];
    return Array.from({ length: parts }, (_, part) => {
      const end = Math.ceil(((part + 1) * this.notes.length) / parts);
      return this.notes[end - 1] ?? 0;
    });
  }
}
