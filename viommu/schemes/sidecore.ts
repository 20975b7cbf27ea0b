/**
 * Shadow IO tables by caching mode, the emulation on a core of its own: it polls the register page, so the guest's writes of
 * the queue's tail do not exit.
 *
 * Buys: no exit. Pays: a core that polls, and its delay at each invalidation that the guest waits for.
 *
 * Source: Amit 2011 (vIOMMU, USENIX ATC), section 4 "Sidecore emulation".
 */
import type { DmaScheme } from "../scheme.ts";
import { shadowCm } from "./shadow-cm.ts";

export const sidecore: DmaScheme = {
  ...shadowCm,
  title: "The same, emulated by another core that polls",
  create(machine, options) {
    const same = shadowCm.create(machine, options);
    return {
      apis: same.apis,
      counts() {
        const counts = same.counts();
        return { ...counts, exits: 0, exitsRegister: 0, polls: counts.exitsRegister };
      },
    };
  },
};
