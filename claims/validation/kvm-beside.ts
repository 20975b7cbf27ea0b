/**
 * A real machine's exits beside the simulator's, phase by phase: the counts of `scripts/kvm-compare` and a replay.
 */
import { exitCauses, type ExitCause } from "../../bench/results/exit-names.ts";
import { ConfigError, unknownName } from "../../bench/input/config-error.ts";
import { type EngineName, engines } from "../../engines/index.ts";
import { createLedger, addInto } from "../../machine/counters.ts";
import { type KvmPhase, modeOfHost, readKvmRecording } from "./kvm-recording.ts";
import { engineFor, replayTrace } from "./replay-trace.ts";
import type { PhaseCounts } from "./counter-map.ts";
import { decode } from "./validate-worker.ts";

export interface KvmBeside {
  /** The guest that ran, recorded. */
  readonly trace: string;
  /** What `scripts/kvm-compare record` wrote. */
  readonly folder: string;
  /** Checked here: a name that a user wrote; undefined for the one that does as the host's KVM. */
  readonly engine: string | undefined;
  /** Where the guest tells its phases. */
  readonly port: number;
  readonly print: (line: string) => void;
}

/** Prints both; false where a count differs or a phase is missing. Throws a `ConfigError` for what cannot be read. */
export async function printKvmBeside(request: KvmBeside): Promise<boolean> {
  const { trace, folder, port, print } = request;
  const { phases, host, isCut } = readKvmRecording(folder, port);
  const engine = engineOf(request.engine, host);
  const simulated = replayTrace(await decode(trace), engine);
  const ours = isCut ? simulated : [wholeOf(simulated)];
  print(
    `${host.get("processor") ?? "a processor"}, Linux ${host.get("kernel") ?? "?"}, ${modeOfHost(host)}; ${engine}`,
  );
  let differing = 0;
  let compared = 0;
  for (let i = 0; i < Math.max(phases.length, ours.length); i++) {
    const [real, mine] = [phases[i], ours[i]];
    if (real === undefined || mine === undefined) {
      print(`phase ${i + 1}: only ${real === undefined ? "in the trace" : "on the machine"}`);
      differing += 1;
      continue;
    }
    print(`phase ${i + 1} (${mine.name})`.padEnd(28) + "KVM".padStart(12) + engine.padStart(22));
    for (const { cause, theirs, got } of rowsOf(real, mine)) {
      compared += 1;
      if (theirs !== got) differing += 1;
      print(row(cause, theirs, String(got)) + (theirs === got ? "" : "  <- differs"));
    }
    for (const [name, count] of real.others) print(row(name, count, "not compared"));
  }
  print(`${compared} counts compared, ${differing} differ`);
  return differing === 0;
}

function row(name: string, theirs: number, mine: string): string {
  return `  ${name}`.padEnd(28) + String(theirs).padStart(12) + mine.padStart(22);
}

function rowsOf(
  { causes }: KvmPhase,
  { all }: PhaseCounts,
): { cause: ExitCause; theirs: number; got: number }[] {
  return exitCauses
    .filter((cause) => cause !== "Other")
    .map((cause) => ({ cause, theirs: causes.get(cause) ?? 0, got: all[`exits${cause}`] }))
    .filter(({ theirs, got }) => theirs > 0 || got > 0);
}

function wholeOf(phases: readonly PhaseCounts[]): PhaseCounts {
  const all = createLedger();
  for (const phase of phases) addInto(all, phase.all);
  const [first] = phases;
  if (first === undefined) throw new ConfigError("the trace ends no phase (p NAME)");
  return { ...first, name: "all", all };
}

function engineOf(asked: string | undefined, host: ReadonlyMap<string, string>): EngineName {
  const names = Object.keys(engines) as EngineName[];
  if (asked !== undefined) {
    const known = names.find((name) => name === asked);
    if (known === undefined) throw unknownName("engine", asked, names);
    return known;
  }
  const mode = modeOfHost(host);
  // 6.12 differs from 6.1 under shadow paging alone; what INVLPG does changed in 6.4.
  const [, major = 0, minor = 0] =
    /^(\d+)\.(\d+)/.exec(host.get("kernel") ?? "")?.map(Number) ?? [];
  const isNew = major > 6 || (major === 6 && minor >= 4);
  return (isNew ? engineFor("6.12", mode) : undefined) ?? engineFor("6.1", mode) ?? "kvm-6.12";
}
