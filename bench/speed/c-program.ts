/**
 * The C program itself, when its folder is at hand: built with make, run on the same streams, interleaved.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ConfigError } from "../input/config-error.ts";
import { argumentsOf, type YardstickCounters, type YardstickStream } from "./yardstick.ts";

export interface CRun {
  readonly nanosecondsPerAccess: number;
  readonly counters: YardstickCounters;
}

/** Builds `tlbsim` in `folder`. */
export function buildYardstick(folder: string): void {
  const { status, stderr, error } = spawnSync("make", ["-s", "-C", folder, "tlbsim"], {
    encoding: "utf8",
  });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim().split("\n").at(-1) ?? "make failed";
  throw new ConfigError(`--yardstick ${folder}: cannot build tlbsim: ${reason}`);
}

export function runYardstick(folder: string, stream: YardstickStream): CRun {
  const { status, stdout, stderr } = spawnSync(join(folder, "tlbsim"), argumentsOf(stream), {
    encoding: "utf8",
  });
  if (status !== 0) throw new ConfigError(`--yardstick ${folder}: tlbsim ended with ${status}`);
  const { med_ns: nanosecondsPerAccess } = JSON.parse(stderr) as { readonly med_ns: number };
  return { nanosecondsPerAccess, counters: JSON.parse(stdout) as YardstickCounters };
}
