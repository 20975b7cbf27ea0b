/**
 * What a hypervisor can enforce on its guest's memory. A new experiment is its file and a line here.
 */
import { guardedTables } from "../policy/guarded-tables.ts";
import { policedShare } from "../policy/policed-share.ts";
import { remap } from "../policy/remap.ts";
import type { Topic } from "../topic.ts";

export const policy = {
  title: "What shadow paging can enforce and EPT cannot, and at what price",
  experiments: {
    remap,
    "guarded-tables": guardedTables,
    "policed-share": policedShare,
  },
} as const satisfies Topic;
