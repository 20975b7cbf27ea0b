/**
 * Schemes with one mechanism taken out or put in: what experiments compare the real ones with.
 */
import type { Engine } from "../../hypervisor/engine.ts";
import { shadowPolicies } from "../../engines/kvm/policy.ts";
import { policyEngines } from "./policy-engines.ts";
import { createNest } from "../../engines/nested/nest.ts";
import { shadowOnNested } from "../../engines/nested/shadow-on-nested.ts";
import type { NestingFeatures } from "../../engines/nested/world-switch.ts";
import { npt } from "../../engines/npt.ts";
import { createShadowLazy, shadowLazy } from "../../engines/shadow-lazy.ts";

/** The names of the last two, which are `shadow-lazy@npt` where silicon performs more of L1's instructions. */
export const nestedVariants = {
  virtualGif: "shadow-lazy@npt, virtual GIF",
  virtualAll: "shadow-lazy@npt, virtual GIF, VMLOAD, VMSAVE",
} as const;

function shadowOnNpt(features: NestingFeatures): Engine {
  return {
    title: "lazy shadow in a guest of NPT's",
    family: "shadow",
    create: createNest({
      level1: shadowLazy.create,
      level0: (platform, options) => shadowOnNested(npt.create(platform, options)),
      features,
    }),
  };
}

export const engineVariants: Readonly<Record<string, Engine>> = {
  /** As `shadow-lazy`, but a hidden fault fills one entry. */
  "shadow-lazy, no prefetch": {
    title: "lazy shadow without prefetch",
    family: "shadow",
    create: createShadowLazy({
      ...shadowPolicies["kvm-6.12"],
      pageLimit: { permille: 20, min: 1024 },
      prefetch: { shape: "group", entries: 1 },
    }),
  },
  [nestedVariants.virtualGif]: shadowOnNpt({ virtualGif: true, virtualVmload: false }),
  [nestedVariants.virtualAll]: shadowOnNpt({ virtualGif: true, virtualVmload: true }),
  ...policyEngines,
};
