/** What nested tables can do about rules on pages and code. */
import type { PolicyEnforcer } from "../../hypervisor/policy/memory-policy.ts";
import type { RadixTree } from "../../hypervisor/tables/radix.ts";
import type { Guard } from "../guard/guard.ts";
import type { NestedScheme } from "./scheme.ts";

export function asNestedCan(
  { format, approvesCode }: NestedScheme,
  { format: { executesByMode, verifyHigh } }: RadixTree,
  guard: Guard | undefined,
): Omit<PolicyEnforcer, "enforce"> {
  const pinsPages = guard?.pinsPages ?? false;
  return {
    name: format,
    locksPages: guard !== undefined,
    pinsPages,
    approvesCode: approvesCode ?? executesByMode,
    bindsFrames: pinsPages && verifyHigh !== 0,
    hasViews: false,
  };
}
