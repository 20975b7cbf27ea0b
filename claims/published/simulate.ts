/**
 * Claims run on worker threads, a group on each. A value depends on its claim alone, so the number of threads cannot show.
 */
import { Piscina } from "piscina";
import { codeUrl } from "../../bench/code-url.ts";
import type { Claim } from "./claim.ts";
import type { ClaimTask } from "./claim-worker.ts";
import { claimGroups } from "./claims/index.ts";

export interface SimulateOptions {
  readonly workers: number;
  readonly progress: (done: number, total: number) => void;
}

const worker = new URL("./claim-worker.ts", import.meta.url);

/** What each claim, one of the registry, gives here, by its name. */
export async function simulateClaims(
  claims: readonly Claim[],
  { workers, progress }: SimulateOptions,
): Promise<ReadonlyMap<string, number>> {
  const wanted = new Set(claims.map(({ name }) => name));
  const tasks = claimGroups.flatMap((some, group): ClaimTask[] => {
    const names = new Set(some.map(({ name }) => name).filter((name) => wanted.has(name)));
    return names.size === 0 ? [] : [{ group, names }];
  });
  const threads = Math.max(1, Math.min(workers, tasks.length));
  const pool = new Piscina<ClaimTask, ReadonlyMap<string, number>>({
    filename: codeUrl(worker).href,
    minThreads: threads,
    maxThreads: threads,
  });
  const values = new Map<string, number>();
  try {
    await Promise.all(
      tasks.map(async (task) => {
        for (const [name, value] of await pool.run(task, { name: "runTask" }))
          values.set(name, value);
        progress(values.size, wanted.size);
      }),
    );
  } finally {
    await pool.destroy();
  }
  return values;
}
