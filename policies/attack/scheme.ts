/**
 * The contract of a scheme under attack: an engine, the rules that it is given, and whether it should hold.
 */
import type { Engine } from "../../hypervisor/engine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";

export interface Scheme {
  readonly title: string;
  readonly engine: Engine;
  readonly rules: readonly PolicyRule[];
  /** In place of a policy that asks about everybody. */
  readonly createPolicy?: () => MemoryPolicy;
  /** What answers exits before the engine does. */
  readonly answering?: (hypervisor: Hypervisor) => Hypervisor;
  /** Does the guest boot with shadow stacks? */
  readonly shadowStacks?: boolean;
  /** A bug of this hypervisor's, put in before it boots. */
  readonly plant?: (platform: Platform) => void;
}
