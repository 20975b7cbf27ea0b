/**
 * HLAT: a lock on the kernel's text costs no exit, and what the guest's own tables say of it has no effect.
 */
import { ACC_EXEC } from "../machine/formats/x86-entry.ts";
import { describe, expect, test } from "vitest";
import { eptHlat } from "../engines/ept-hlat.ts";
import { engines } from "../engines/index.ts";
import type { PolicyRule } from "../hypervisor/policy/rules.ts";
import type { Vpn } from "../machine/address.ts";
import { runAttack } from "./attack/run-attack.ts";
import { kernelTextLock } from "./kernel-text.ts";
import { policed, type PolicedProgram, runPoliced } from "./policed-run.ts";

const programs = [
  { workload: "forkwait", params: { forks: 20, kpti: 1 } },
  { workload: "syscalls", params: { calls: 500, kpti: 1 } },
  { workload: "boot", params: { services: 3, kpti: 1 } },
  { workload: "compile", params: { jobs: 1 } },
] as const satisfies readonly PolicedProgram[];

describe.each(programs)("$workload", (program) => {
  const measured = (upperHalfOnly: boolean, check = false) =>
    runPoliced(policed(eptHlat({ upperHalfOnly }), kernelTextLock(4)), program, check).regions
      .measured.ledger;

  test("exits no more often than under EPT, and translates as the rules say", () => {
    const { exits } = runPoliced(engines.ept, program).regions.measured.ledger;
    expect(measured(true, true).exits).toBe(exits);
    expect(measured(false, true).exits).toBe(exits);
  });
});

test("where the lower half is asked for too, each walk for the user reads a table more", () => {
  const program = { workload: "uniform", params: { pages: 1024, accesses: 20_000 } } as const;
  const ledger = (upperHalfOnly: boolean) => {
    const engine = policed(eptHlat({ upperHalfOnly }), kernelTextLock(4));
    return runPoliced(engine, program).regions.measured.ledger;
  };
  const [upper, all] = [ledger(true), ledger(false)];
  expect(all.walks).toBe(upper.walks);
  expect(all.walkReferencesGuest).toBe(upper.walkReferencesGuest + upper.walks);
});

test.each(["remap", "upper-remap", "new-root"] as const)("%s is a no-op", (attack) => {
  expect(runAttack("ept-hlat", attack)).toMatchObject({ isBroken: false, exits: 0, denied: 0 });
});

test("a page whose frame is the guest's choice cannot be pinned", () => {
  const rights: PolicyRule = {
    kind: "lock-pages",
    start: 1 as Vpn,
    pages: 1,
    first: null,
    access: ACC_EXEC,
  };
  const engine = policed(eptHlat({ upperHalfOnly: false }), [rights]);
  expect(() => runPoliced(engine, programs[1])).toThrow("cannot be pinned");
});
