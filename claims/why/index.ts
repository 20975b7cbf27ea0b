/**
 * The registry of topics: a new one is its file in `topics/` and a line here. The first is the default.
 */
import type { DmaTopic } from "./devices/experiment.ts";
import type { MigrationTopic } from "./migration/experiment.ts";
import type { Topic } from "./topic.ts";
import { devices } from "./topics/devices.ts";
import { migration } from "./topics/migration.ts";
import { nested } from "./topics/nested.ts";
import { nodes } from "./topics/nodes.ts";
import { policy } from "./topics/policy.ts";
import { schemes } from "./topics/schemes.ts";
import { shadowOrEpt } from "./topics/shadow-or-ept.ts";

export const topics: Readonly<Record<string, Topic | MigrationTopic | DmaTopic>> = {
  "shadow-or-ept": shadowOrEpt,
  migration,
  nested,
  devices,
  policy,
  schemes,
  nodes,
};

export const defaultTopic = "shadow-or-ept";

/** Where the answer of a topic goes unless the command line says otherwise. */
export function topicFolder(topic: string): string {
  return topic === defaultTopic ? "results/why" : `results/why-${topic}`;
}
