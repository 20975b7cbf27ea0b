/**
 * The registry of topics: a new one is its file in `topics/` and a line here. The first is the default.
 */
import type { Topic } from "./topic.ts";
import { shadowOrEpt } from "./topics/shadow-or-ept.ts";

export const topics: Readonly<Record<string, Topic>> = {
  "shadow-or-ept": shadowOrEpt,
};

export const defaultTopic = "shadow-or-ept";
