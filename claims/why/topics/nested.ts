/**
 * A hypervisor inside a guest: what each level pays, and what makes it bearable.
 */
import { nestedCycles } from "../experiments/nested-cycles.ts";
import { nestedOperations } from "../experiments/nested-operations.ts";
import { nestedSwitch } from "../experiments/nested-switch.ts";
import type { Topic } from "../topic.ts";

export const nested = {
  title: "What a hypervisor inside a guest costs, and why",
  experiments: {
    operations: nestedOperations,
    cycles: nestedCycles,
    switch: nestedSwitch,
  },
} as const satisfies Topic;
