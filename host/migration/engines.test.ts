import { expect, it } from "vitest";
import { engines, innermostEngine } from "../../engines/index.ts";
import type { Gfn } from "../../machine/address.ts";
import { checkedGuest } from "../../check/oracle/checked-guest.ts";
import { firstData } from "../../check/fuzz/guest-image.ts";
import { engineProblem, loggingEngines } from "./engines.ts";
import { defaultSettings } from "./settings.ts";

const nested = ["ept-wp@ept", "npt@npt", "shadow-lazy@npt", "shadow@shadow", "pvm@ept"];

// Seen failing with a guest of a guest whose log L0 is asked for.
it.each([...Object.keys(engines), ...nested])("%s: keeps a dirty log or is refused", (engine) => {
  const { hypervisor, machine, vcpu, direct } = checkedGuest({ engine });
  vcpu.write(direct(firstData));
  vcpu.drain();
  const frames = machine.guestFrames;
  hypervisor.host({ kind: "dirty-log-on", start: 0 as Gfn, frames });
  vcpu.write(direct(firstData));
  vcpu.drain();
  const keepsLog = hypervisor.host({ kind: "dirty-log-get" }).length > 0;
  expect(loggingEngines.includes(innermostEngine(engine))).toBe(keepsLog);
  expect(engineProblem(engine, defaultSettings) === undefined).toBe(keepsLog);
  const moved = { mode: "postcopy", postcopyAfterRounds: 0 } as const;
  expect(engineProblem(engine, moved) === undefined).toBe(engine !== "native");
});
