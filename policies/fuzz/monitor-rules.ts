/**
 * Rules as a guest with views has them: some of its locked and hidden frames are a monitor's.
 */
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";

export function asForMonitor(rule: PolicyRule): PolicyRule {
  if (rule.kind === "hide-frames" && rule.start % 2 === 0) {
    return { ...rule, kind: "monitor-frames", programs: "nothing" };
  }
  if (rule.kind !== "lock-frames" || rule.start % 3 === 0) return rule;
  if (rule.start % 3 === 1) return { ...rule, kind: "monitor-frames", programs: "read" };
  return { ...rule, kind: "monitor-code" };
}
