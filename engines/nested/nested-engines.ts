/**
 * Engines made of two others: `A@B` runs A as the hypervisor of a guest of B's, each by its name in the registry.
 *
 * Refused is what no hardware offers either: nested paging in a guest whose host has none, tables of one vendor's format
 * under the other's.
 */
import type { CreateEngine, Engine } from "../../hypervisor/engine.ts";
import { shadowPolicies } from "../kvm/policy.ts";
import { createNest, type Nest } from "./nest.ts";
import { type NestedFormat, nestedOnNested } from "./nested-on-nested.ts";
import { shadowOnNested } from "./shadow-on-nested.ts";
import { shadowOnShadow } from "./shadow-on-shadow.ts";
import { type NestingFeatures, noHardware, plainSvm, shadowingVmx } from "./world-switch.ts";

/** Why two engines make none. */
export interface NestedProblem {
  readonly problem: string;
}

/** A name and what it stands for. */
export interface NamedEngine {
  readonly name: string;
  readonly engine: Engine;
}

/** Whose nested tables have which format. */
const formats: Readonly<Record<string, NestedFormat>> = {
  npt: "npt",
  "npt-wp": "npt",
  "kvm-tdp": "npt",
  "kvm-tdp-legacy": "npt",
  ept: "ept",
  "ept-wp": "ept",
  "ept-wp-manual": "ept",
  "ept-ad": "ept",
};

/** Engines that change between shadow and nested paging. */
const hybrids: ReadonlySet<string> = new Set(["agile", "shsp"]);

/** The engine, or why there is none. */
export function nestedEngine(level1: NamedEngine, level0: NamedEngine): Engine | NestedProblem {
  const way = wayOf(level1, level0);
  if (typeof way === "string") return { problem: way };
  return {
    title: `in a guest: ${level1.engine.title}; below it: ${level0.engine.title}`,
    family: level1.engine.family,
    create: createNest({
      level1: level1.engine.create,
      level0: way,
      features: level1.engine.withoutHardware === true ? noHardware : featuresOf(level0),
    }),
  };
}

/** Who has EPT is Intel's. */
function featuresOf({ name, engine }: NamedEngine): NestingFeatures {
  return engine.family === "nested" && formats[name] !== "npt" ? shadowingVmx : plainSvm;
}

/** How L0 runs L1's guest, or why it cannot. */
function wayOf(level1: NamedEngine, level0: NamedEngine): Nest["level0"] | string {
  const inner = level1.engine.family;
  const outer = level0.engine.family;
  const { create }: { readonly create: CreateEngine } = level0.engine;
  const hybrid = [level1, level0].find(({ name }) => hybrids.has(name));
  if (hybrid !== undefined)
    return `${hybrid.name} changes tables by silicon that is one level's alone`;
  for (const { name, engine } of [level1, level0]) {
    if (engine.isa !== undefined)
      return `${name} runs guests of ${engine.isa.name} on hardware alone`;
  }
  if (inner === "bare") return `${level1.name} runs no guest`;
  if (outer === "bare") return `${level0.name} has no guest that a hypervisor could run in`;
  if (level0.name === "shadow-vtlb") {
    return "shadow-vtlb has one tree, of the depth of L1's own tables, and L2's may be deeper";
  }
  if (level0.engine.withoutHardware === true) {
    return `${level0.name} runs its guest in ring 3, where no hypervisor runs`;
  }
  if (level1.engine.withoutHardware === true && outer === "shadow") {
    return `${level1.name} changes tables at each way in and out, which ${level0.name} would see all of`;
  }
  if (inner === "shadow") {
    return outer === "shadow"
      ? (platform, options) => shadowOnShadow(create(platform, options))
      : (platform, options) => shadowOnNested(create(platform, options));
  }
  if (outer === "shadow") {
    return `${level1.name} needs nested paging, which ${level0.name} does not offer its guest`;
  }
  const [format, below] = [formats[level1.name], formats[level0.name]];
  if (format === undefined || below === undefined) {
    const { name } = format === undefined ? level1 : level0;
    return `${name} logs modified pages by silicon, which is one level's alone`;
  }
  if (format !== below) return `${level1.name} has tables of another vendor than ${level0.name}`;
  return (platform, options) =>
    nestedOnNested(platform, shadowPolicies["kvm-6.12"], options, format);
}
