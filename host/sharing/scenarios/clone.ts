/** Clones of a guest whose set-up is done: they start at once and pay for pages as they write them. */
import { freshMemory, type Scenario } from "../scenario.ts";

export const clone: Scenario = {
  title: "Clones of a booted guest",
  summary: "the guests after the first start with its memory, shared by copy-on-write",
  guests: 3,
  clones: true,
  uses: [],
  kernel: freshMemory,
  started: () => undefined,
  act: () => undefined,
};
