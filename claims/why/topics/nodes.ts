/**
 * A machine of several nodes: what tables on the wrong one cost, and what brings the time back.
 */
import { nodeTables } from "../experiments/node-tables.ts";
import type { Topic } from "../topic.ts";

export const nodes = {
  title: "What page tables on the wrong node cost",
  experiments: { tables: nodeTables },
} as const satisfies Topic;
