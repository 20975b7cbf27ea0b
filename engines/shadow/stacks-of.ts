/** Whether silicon knows shadow stacks in the tables that it walks for a guest: asked at every leaf of theirs. */
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";

/** Known from the last look: one is due whenever a vCPU's registers change. */
export function stacksOf(vcpus: readonly VirtualCpu[]) {
  let isAny = false;
  return {
    hasStacks: () => isAny,
    lookForStacks: () => {
      isAny = vcpus.some(({ controls }) => controls.walk?.shadowStacks === true);
    },
  };
}
