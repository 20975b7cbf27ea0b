import { expect, test } from "vitest";
import { PinnedTimeline } from "./pinned-timeline.ts";

function timelineOf(notes: readonly number[]): PinnedTimeline {
  const timeline = new PinnedTimeline();
  for (const pages of notes) timeline.note(pages);
  return timeline;
}

// Seen failing with: a stride that is not doubled.
test.each([8, 1000, 5000, 100_000])(
  "a run of %i notes has its shape at the ends of its parts",
  (count) => {
    const notes = Array.from({ length: count }, (_, i) => i + 1);
    const ends = timelineOf(notes).atEnds(4);
    for (const [part, pages] of ends.entries()) {
      const due = ((part + 1) * count) / 4;
      expect(Math.abs(pages - due)).toBeLessThanOrEqual(Math.max(1, count / 256));
    }
  },
);

test("a run begins anew where it is measured from", () => {
  const timeline = timelineOf([9, 9, 9]);
  timeline.restart();
  expect(timeline.atEnds(2)).toEqual([]);
  timeline.note(4);
  expect(timeline.atEnds(2)).toEqual([4, 4]);
});
