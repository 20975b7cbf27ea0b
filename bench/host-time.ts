/**
 * What the host did, never what the simulated machine did: wall time, Node, commit.
 *
 * These are the only facts that differ between two runs of one sweep, so they live in `host.json` alone.
 */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { sep } from "node:path";

/** What a piece of work took: wall time, and this thread's share of a processor, which neighbours cannot inflate. */
export interface HostCost {
  readonly hostMilliseconds: number;
  readonly processorMilliseconds: number;
}

/** Runs `work` on this thread and says what it took. */
export function timed<T>(work: () => T): HostCost & { readonly value: T } {
  const start = performance.now();
  const before = process.threadCpuUsage();
  const value = work();
  const { user, system } = process.threadCpuUsage(before);
  return {
    value,
    hostMilliseconds: performance.now() - start,
    processorMilliseconds: (user + system) / 1000,
  };
}

/** The same for work that waits; the share of a processor is all threads'. */
export async function timedAsync<T>(work: () => Promise<T>): Promise<HostCost & { value: T }> {
  const start = performance.now();
  const before = process.cpuUsage();
  const value = await work();
  const { user, system } = process.cpuUsage(before);
  return {
    value,
    hostMilliseconds: performance.now() - start,
    processorMilliseconds: (user + system) / 1000,
  };
}

export interface HostPoint extends HostCost {
  readonly id: number;
}

export interface HostFacts {
  readonly commit: string;
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
  readonly processor: string;
  readonly workers: number;
  readonly startedAt: string;
  readonly hostSeconds: number;
  readonly points: readonly HostPoint[];
}

/** Starts the clock of a sweep; the returned function closes the account. */
export function startHostClock(workers: number): (points: readonly HostPoint[]) => HostFacts {
  const startedAt = new Date().toISOString();
  const start = performance.now();
  return (points) => ({
    commit: commitOf(import.meta.dirname),
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? "unknown",
    workers,
    startedAt,
    hostSeconds: (performance.now() - start) / 1000,
    points,
  });
}

/** The commit of this program, with `-dirty` when files differ from it. */
function commitOf(folder: string): string {
  // An installed copy lies in somebody else's repository, whose commit says nothing.
  if (folder.split(sep).includes("node_modules")) return "unknown";
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  try {
    const commit = git("rev-parse", "HEAD").trim();
    return git("status", "--porcelain") === "" ? commit : `${commit}-dirty`;
  } catch {
    // A downloaded copy has no repository around it, and some machines have no git.
    return "unknown";
  }
}
