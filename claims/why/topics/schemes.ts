/**
 * What was proposed between shadow and nested paging: which wins where, what it asks of silicon and of the hypervisor.
 */
import { hybrids } from "../experiments/hybrids.ts";
import { hybridsLinux } from "../experiments/hybrids-linux.ts";
import { hybridsProcesses } from "../experiments/hybrids-processes.ts";
import { tableShapes } from "../experiments/table-shapes.ts";
import type { Topic } from "../topic.ts";

export const schemes = {
  title: "Shadow, nested, and what was proposed between them",
  experiments: {
    hybrids,
    "hybrids-processes": hybridsProcesses,
    "hybrids-linux": hybridsLinux,
    "table-shapes": tableShapes,
  },
} as const satisfies Topic;
