/**
 * Live migration: what each dirty log costs, and when pre-copy fails. A new experiment is its file and a line here.
 */
import { convergence } from "../migration/convergence.ts";
import { dirtyRates } from "../migration/dirty-rates.ts";
import type { MigrationTopic } from "../migration/experiment.ts";
import { idleLog } from "../migration/idle-log.ts";
import { largePages } from "../migration/large-pages.ts";
import { pmlOrProtection } from "../migration/pml-or-protection.ts";
import { ringOrBitmap } from "../migration/ring-or-bitmap.ts";
import { scanOrLog } from "../migration/scan-or-log.ts";

export const migration = {
  title: "What dirty logging costs a guest that is migrated",
  migrations: {
    "dirty-rates": dirtyRates,
    "pml-or-protection": pmlOrProtection,
    "large-pages": largePages,
    "idle-log": idleLog,
    "scan-or-log": scanOrLog,
    "ring-or-bitmap": ringOrBitmap,
    convergence,
  },
} as const satisfies MigrationTopic;
