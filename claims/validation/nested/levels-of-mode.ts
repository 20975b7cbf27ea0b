/**
 * Which engines at which levels answer to a mode, kernel and variant of the nested ground truth.
 */
import type { CreateEngine, EngineOptions } from "../../../hypervisor/engine.ts";
import type { Platform } from "../../../hypervisor/platform.ts";
import { kvmTdp } from "../../../engines/kvm-tdp.ts";
import { shadowPolicies } from "../../../engines/kvm/policy.ts";
import type { Level0 } from "../../../engines/nested/level0.ts";
import { createNest } from "../../../engines/nested/nest.ts";
import { nestedOnNested } from "../../../engines/nested/nested-on-nested.ts";
import { shadowOnNested } from "../../../engines/nested/shadow-on-nested.ts";
import { shadowOnShadow } from "../../../engines/nested/shadow-on-shadow.ts";
import { plainSvm } from "../../../engines/nested/world-switch.ts";
import { createShadowLazy } from "../../../engines/shadow-lazy.ts";

const kernels = { "6.1": shadowPolicies["kvm-6.1"], "6.12": shadowPolicies["kvm-6.12"] } as const;
type Kernel = keyof typeof kernels;

/** L0's `npt` parameter, then L1's. */
const modes = {
  "00": {
    level1: (kernel: Kernel) => createShadowLazy(kernels[kernel]),
    level0: (kernel: Kernel) => (platform: Platform, options: EngineOptions) =>
      shadowOnShadow(createShadowLazy(kernels[kernel])(platform, options)),
  },
  "10": {
    level1: (kernel: Kernel) => createShadowLazy(kernels[kernel]),
    level0: () => (platform: Platform, options: EngineOptions) =>
      shadowOnNested(kvmTdp.create(platform, options)),
  },
  "11": {
    level1: () => kvmTdp.create,
    level0: (kernel: Kernel) => (platform: Platform, options: EngineOptions) =>
      nestedOnNested(platform, kernels[kernel], options),
  },
} as const satisfies Record<
  string,
  {
    readonly level1: (kernel: Kernel) => CreateEngine;
    readonly level0: (kernel: Kernel) => (platform: Platform, options: EngineOptions) => Level0;
  }
>;

/** L1's memory in pages of 2 MiB or 4 KiB changes only what is cold; a virtual GIF, what exits. */
const variants = {
  plain: plainSvm,
  "4k": plainSvm,
  vgif: { ...plainSvm, virtualGif: true },
} as const;

export interface ModeLevels {
  /** The same for all that count the same. */
  readonly name: string;
  readonly create: CreateEngine;
}

/** The hypervisors, or undefined when nothing models them. */
export function levelsOfMode(
  kernel: string,
  mode: string,
  variant: string,
): ModeLevels | undefined {
  if (!Object.hasOwn(kernels, kernel) || !Object.hasOwn(modes, mode)) return undefined;
  if (!Object.hasOwn(variants, variant)) return undefined;
  const known = kernel as Kernel;
  const { level0, level1 } = modes[mode as keyof typeof modes];
  const features = variants[variant as keyof typeof variants];
  return {
    name: `${mode} ${kernel} ${features.virtualGif ? "vgif" : "plain"}`,
    create: createNest({ level1: level1(known), level0: level0(known), features }),
  };
}
