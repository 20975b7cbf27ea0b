/**
 * The fuzzer with rules: random guests under random policies, every access and every denial under the oracle.
 *
 * Half of a guest's rules hold from its first instruction, the others come while it runs. Engines are not compared:
 * what one can enforce another cannot, and a lost store makes another guest.
 */
import { Prng } from "../../guest/prng.ts";
import { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";
import { Machine } from "../../machine/machine.ts";
import { replayDecoded } from "../../workloads/trace/replay.ts";
import { attachOracle } from "../../check/oracle/oracle.ts";
import { drawGuest } from "../../check/fuzz/draw-program.ts";
import type { OpGroup, Program } from "../../check/fuzz/program.ts";
import { chunkOf, machineFor, problemOf, type Target } from "../../check/fuzz/run-program.ts";
import { smallPresets } from "../../check/fuzz/small-presets.ts";
import { allAccess, drawRules } from "./draw-rules.ts";
import { asForMonitor } from "./monitor-rules.ts";
import { type PolicedTarget, type PolicedTargetName, policedTargets } from "./policed-targets.ts";

export interface PolicyFuzzOptions {
  readonly seed: number;
  /** Guest ops in all, each run under every scheme. */
  readonly ops: number;
  readonly targets: readonly PolicedTargetName[];
  readonly onProgress: (progress: PolicyFuzzProgress) => void;
  /** A planted bug: changes a policy before an engine asks it. */
  readonly plant?: (policy: MemoryPolicy) => void;
}

export interface PolicyFuzzProgress {
  readonly programs: number;
  readonly ops: number;
  /** Accesses that the oracle has checked, and acts denied, over all schemes. */
  readonly checked: number;
  readonly denied: number;
}

export interface PolicyFuzzResult extends PolicyFuzzProgress {
  /** What went wrong first, with what it takes to run it again. */
  readonly failure: string | null;
}

const opsPerProgram = 1500;

export function fuzzPolicies(options: PolicyFuzzOptions): PolicyFuzzResult {
  const prng = new Prng(options.seed);
  const total = { programs: 0, ops: 0, checked: 0, denied: 0 };
  while (total.ops < options.ops) {
    const { program, guest } = drawGuest(prng, Math.min(opsPerProgram, options.ops - total.ops));
    const rules = drawRules(prng, guest);
    const presetName = prng.chance(50) ? "tiny" : "roomy";
    const atBoot = Math.ceil(rules.length / 2);
    total.programs += 1;
    total.ops += program.groups.flat().length;
    for (const name of options.targets) {
      const draw: Draw = { program, rules, atBoot, presetName };
      const { problem, checked, denied } = runPoliced(draw, name, options.plant);
      total.checked += checked;
      total.denied += denied;
      if (problem === null) continue;
      const where = `program ${total.programs} of seed ${options.seed} under ${name} on ${presetName}`;
      return { ...total, failure: `${where}: ${problem}\nrules: ${JSON.stringify(rules)}` };
    }
    options.onProgress({ ...total });
  }
  return { ...total, failure: null };
}

interface Draw {
  readonly program: Program;
  readonly rules: readonly PolicyRule[];
  /** Rules that hold from the start; each other one comes at the end of a piece of the program. */
  readonly atBoot: number;
  readonly presetName: keyof typeof smallPresets;
}

function runPoliced(draw: Draw, name: PolicedTargetName, plant: PolicyFuzzOptions["plant"]) {
  const { engine, rules: kind }: PolicedTarget = policedTargets[name];
  const fit = (rules: readonly PolicyRule[]) => rules.flatMap((rule) => asEnforced(rule, kind));
  const policy = new MemoryPolicy(fit(draw.rules.slice(0, draw.atBoot)));
  plant?.(policy);
  const later = fit(draw.rules.slice(draw.atBoot)).filter(
    (rule) => kind === "all" || rule.kind !== "lock-pages",
  );
  const target: Target = {
    engine: name,
    factory: engine.create,
    native: false,
    presetName: draw.presetName,
    preset: smallPresets[draw.presetName],
    nestedLevels: 4,
  };
  const { header, groups } = draw.program;
  const machine = new Machine(machineFor(draw.program, target));
  const { shadowPagesMax } = header;
  const limit = shadowPagesMax === null ? {} : { shadowPagesMax };
  const made = engine.create(machine, { ...limit, policy });
  const oracle = attachOracle(machine, target);
  oracle.police(policy);
  const hypervisor = oracle.watch(made);
  const turns = kind === "views" ? 40 : 0;
  const views = new Prng(groups.length);
  let problem: string | null = null;
  try {
    replayDecoded({
      machine,
      hypervisor,
      source: { file: "fuzz", header, chunks: [chunkOf(withPhases(groups, later.length + turns))] },
      onPhase() {
        if (kind === "views") {
          // Of three, the last is no view.
          for (const vcpu of machine.vcpus) vcpu.vmfunc(views.below(3));
          if (views.below(turns) > later.length) return;
        }
        const rule = later.shift();
        if (rule !== undefined) policy.enact(rule);
      },
      options: { fetchEachOp: false },
    });
    oracle.sharing.checkTables();
    oracle.sharing.checkSnapshot();
  } catch (error) {
    problem = problemOf(error);
  }
  return { problem, checked: oracle.checked, denied: policy.denied };
}

/** Some locked frames are stacks. */
function asForStack(rule: PolicyRule): PolicyRule {
  const isStack = rule.kind === "lock-frames" && rule.start % 4 === 1;
  return isStack ? { ...rule, kind: "stack-frames" } : rule;
}

/** The rule as this scheme can hold it: EPT alone knows no pages, a guard takes no rights that the boot image gives. */
function asEnforced(rule: PolicyRule, kind: PolicedTarget["rules"]): PolicyRule[] {
  if (rule.kind !== "lock-pages" || kind === "all") {
    return [kind === "views" ? asForMonitor(rule) : asForStack(rule)];
  }
  if (kind === "frames" || kind === "views") return [];
  const page = { ...rule, access: allAccess };
  if (kind !== "bound-pages" || rule.first === null) return [page];
  return [page, { kind: "bind-frames", start: rule.first, frames: rule.pages }];
}

/** Ends of phases at even distances, where rules come. */
function withPhases(groups: readonly OpGroup[], phases: number): OpGroup {
  const every = Math.ceil(groups.length / (phases + 1));
  return groups.flatMap((group, i) => {
    const isEnd = phases > 0 && i > 0 && i % every === 0;
    return isEnd ? [{ op: "phase", name: `${i}` } as const, ...group] : group;
  });
}
