import { expect, test } from "vitest";
import { sharingAnswers } from "./answers.ts";

// Seen failing: A/D bits of EPT switched off in `engines/ept.ts`, the second direction of the first claim.
test("every direction of the answers about sharing holds", async () => {
  for (const { title, checks } of await sharingAnswers()) {
    expect(checks.length).toBeGreaterThan(0);
    expect(
      checks.filter(({ holds }) => !holds),
      title,
    ).toEqual([]);
  }
}, 240_000);
