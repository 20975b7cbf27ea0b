/**
 * The contract of an experiment about migrations: which it needs, and what it reads from them.
 */
import { assert } from "../../../machine/assert.ts";
import type { GivenSettings } from "../../../host/migration/settings-schema.ts";
import type { MigrationResult } from "../../../bench/results/result.ts";
import type { Finding } from "../../../bench/results/answer.ts";
import { type WhyPoint } from "../plan.ts";
import { migrationIdentity } from "./plan.ts";

/** A migration as experiments name it: a point, and what differs from QEMU's settings. */
export interface MigrationPoint extends WhyPoint {
  readonly migration: GivenSettings;
}

export interface MigrationFindings {
  readonly of: (point: MigrationPoint) => MigrationResult;
}

export interface MigrationExperiment {
  /** The question, as a heading. */
  readonly title: string;
  readonly points: readonly MigrationPoint[];
  readonly read: (findings: MigrationFindings) => Finding;
}

/** A topic of `shadewalk why` whose evidence is migrations. */
export interface MigrationTopic {
  readonly title: string;
  readonly migrations: Readonly<Record<string, MigrationExperiment>>;
}

export function migrationFindings(results: readonly MigrationResult[]): MigrationFindings {
  const byKey = new Map(results.map((result) => [migrationIdentity(result.key), result]));
  return {
    of(point) {
      const found = byKey.get(migrationIdentity(point));
      assert(found !== undefined, `why: no such migration: ${JSON.stringify(point)}`);
      return found;
    },
  };
}
