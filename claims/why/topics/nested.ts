/**
 * A hypervisor inside a guest: what each level pays, and what makes it bearable.
 */
import { nestedControlBlock } from "../experiments/nested-control-block.ts";
import { nestedCycles } from "../experiments/nested-cycles.ts";
import { nestedFaults } from "../experiments/nested-faults.ts";
import { nestedMix } from "../experiments/nested-mix.ts";
import { nestedOperations } from "../experiments/nested-operations.ts";
import { nestedPvm } from "../experiments/nested-pvm.ts";
import { nestedSwitch } from "../experiments/nested-switch.ts";
import type { Topic } from "../topic.ts";

export const nested = {
  title: "What a hypervisor inside a guest costs, and why",
  experiments: {
    operations: nestedOperations,
    faults: nestedFaults,
    cycles: nestedCycles,
    mix: nestedMix,
    switch: nestedSwitch,
    "control-block": nestedControlBlock,
    pvm: nestedPvm,
  },
} as const satisfies Topic;
