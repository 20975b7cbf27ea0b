/**
 * Schemes with one mechanism taken out: what experiments compare the real ones with.
 */
import type { Engine } from "../../hypervisor/engine.ts";
import { shadowPolicies } from "../../engines/kvm/policy.ts";
import { createShadowLazy } from "../../engines/shadow-lazy.ts";

export const engineVariants = {
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
} as const satisfies Record<string, Engine>;
