import { expect, it } from "vitest";
import { engines } from "../../engines/index.ts";
import type { Gfn } from "../../machine/address.ts";
import { checkedGuest } from "../../check/oracle/checked-guest.ts";
import { firstData } from "../../check/fuzz/guest-image.ts";
import { engineProblem, loggingEngines } from "./engines.ts";
import { defaultSettings } from "./settings.ts";

it.each(Object.keys(engines) as (keyof typeof engines)[])(
  "%s: keeps a dirty log or is refused",
  (engine) => {
    const { hypervisor, machine, vcpu, direct } = checkedGuest({ engine });
    vcpu.write(direct(firstData));
    vcpu.drain();
    const frames = machine.guestFrames;
    hypervisor.host({ kind: "dirty-log-on", start: 0 as Gfn, frames });
    vcpu.write(direct(firstData));
    vcpu.drain();
    const keepsLog = hypervisor.host({ kind: "dirty-log-get" }).length > 0;
    expect(loggingEngines.includes(engine)).toBe(keepsLog);
    expect(engineProblem(engine, defaultSettings) === undefined).toBe(keepsLog);
    const moved = { mode: "postcopy", postcopyAfterRounds: 0 } as const;
    expect(engineProblem(engine, moved) === undefined).toBe(engine !== "native");
  },
);
