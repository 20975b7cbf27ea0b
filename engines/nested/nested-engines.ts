/**
 * Engines made of two others: `A@B` runs A as the hypervisor of a guest of B's, each by its name in the registry.
 * `A@B+word` is the same with other help for A's world switch.
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
import {
  enlightenedVmx,
  exitingVmx,
  type NestingFeatures,
  noHardware,
  plainSvm,
  shadowingVmx,
} from "./world-switch.ts";

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

/** What silicon or L0 does for L1 beyond the usual, and whose it is. */
interface Variant {
  readonly vendor: "AMD" | "Intel";
  readonly features: NestingFeatures;
  readonly summary: string;
}

/** By the word after `+` in `A@B+word`. */
export const nestingVariants: Readonly<Record<string, Variant>> = {
  vmread: {
    vendor: "Intel",
    features: exitingVmx,
    summary: "no VMCS shadowing: each VMREAD and VMWRITE exits",
  },
  evmcs: {
    vendor: "Intel",
    features: enlightenedVmx,
    summary: "Hyper-V's enlightened VMCS: the control block is a page of L1's",
  },
  vgif: {
    vendor: "AMD",
    features: { virtualGif: true, virtualVmload: false },
    summary: "virtual GIF",
  },
  vls: {
    vendor: "AMD",
    features: { virtualGif: true, virtualVmload: true },
    summary: "virtual GIF, VMLOAD and VMSAVE",
  },
};

/** Engines that change between shadow and nested paging. */
const hybrids: ReadonlySet<string> = new Set(["agile", "shsp", "shsp-process"]);

/** The engine, or why there is none. `variant`: a word of `nestingVariants`, or undefined for what is usual. */
export function nestedEngine(
  level1: NamedEngine,
  level0: NamedEngine,
  variant?: string,
): Engine | NestedProblem {
  const way = wayOf(level1, level0);
  if (typeof way === "string") return { problem: way };
  const features = featuresOf(level1, level0, variant);
  if (typeof features === "string") return { problem: features };
  return {
    title: [
      `in a guest: ${level1.engine.title}; below it: ${level0.engine.title}`,
      ...(variant === undefined ? [] : [nestingVariants[variant]?.summary]),
    ].join("; "),
    family: level1.engine.family,
    create: createNest({
      level1: level1.engine.create,
      level0: way,
      features,
    }),
  };
}

/** What L1's world switch is made of, or why not of that. Who has EPT is Intel's. */
function featuresOf(
  level1: NamedEngine,
  { name, engine }: NamedEngine,
  variant: string | undefined,
): NestingFeatures | string {
  const vendor = engine.family === "nested" && formats[name] !== "npt" ? "Intel" : "AMD";
  const usual = vendor === "Intel" ? shadowingVmx : plainSvm;
  if (level1.engine.withoutHardware === true) {
    return variant === undefined ? noHardware : `${level1.name} uses no virtualization hardware`;
  }
  if (variant === undefined) return usual;
  const chosen = Object.hasOwn(nestingVariants, variant) ? nestingVariants[variant] : undefined;
  if (chosen === undefined) {
    return `+${variant} is none of ${Object.keys(nestingVariants)
      .map((word) => `+${word}`)
      .join(", ")}`;
  }
  if (chosen.vendor === vendor) return chosen.features;
  return `+${variant} is ${chosen.vendor}'s, and ${name} is ${vendor}'s`;
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
