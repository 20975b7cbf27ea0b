import { expect, test } from "vitest";
import { pageSizeWord } from "./page-size.ts";

test.each([
  ["4k", "4k"],
  ["4K", "4k"],
  ["4KiB", "4k"],
  ["2 MiB", "2m"],
  ["2MB", "2m"],
  ["1G", "1g"],
  // No page size, or none that there is: whoever reads options complains about the text as it was.
  ["2", "2"],
  ["3m", "3m"],
  ["2mm", "2mm"],
])("%s is read as %s", (text, word) => expect(pageSizeWord(text)).toBe(word));
