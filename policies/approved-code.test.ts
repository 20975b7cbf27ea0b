/**
 * Approved code: the kernel runs what is approved and nothing else, under EPT whose right to execute is one per mode.
 */
import { describe, expect, test } from "vitest";
import { buildComputer } from "../engines/computer.ts";
import { eptMbec } from "../engines/ept-mbec.ts";
import { engines } from "../engines/index.ts";
import { bootKernel } from "../guest/kernel.ts";
import { kernelLayout } from "../guest/layout.ts";
import { kernelDefaults } from "../guest/options.ts";
import { MemoryPolicy } from "../hypervisor/policy/memory-policy.ts";
import type { Gfn, Vpn } from "../machine/address.ts";
import { presets } from "../machine/presets.ts";
import { attachOracle } from "../check/oracle/oracle.ts";
import { kernelCode } from "./kernel-text.ts";
import { policed, runPoliced } from "./policed-run.ts";

describe("kernel code approved", () => {
  const programs = [
    { workload: "syscalls", params: { calls: 500 } },
    { workload: "boot", params: { services: 3 } },
    { workload: "forkwait", params: { forks: 20, kpti: 1 } },
  ] as const;

  // Seen failing with the two bits taken for each other: the first system call runs code that is not approved.
  test.each(programs)("$workload enters and leaves the kernel at no exit more", (program) => {
    const exits = (engine: Parameters<typeof runPoliced>[0]) =>
      runPoliced(engine, program).regions.measured.ledger.exits;
    expect(exits(policed(eptMbec, kernelCode))).toBe(exits(engines.ept));
    expect(exits(eptMbec)).toBe(exits(engines.ept));
  });

  test("an engine with one right for both modes refuses the rule", () => {
    expect(() => runPoliced(policed(engines.ept, kernelCode), programs[0])).toThrow(
      "cannot approve",
    );
  });
});

describe("code of the attacker's", () => {
  function guest() {
    const policy = new MemoryPolicy(kernelCode);
    const {
      machine,
      vcpu,
      hypervisor: made,
    } = buildComputer({
      engine: eptMbec,
      preset: presets["skylake-sp"],
      guestFrames: 8192,
      policy,
    });
    const oracle = attachOracle(machine, { native: false });
    oracle.police(policy);
    const hypervisor = oracle.watch(made);
    const system = bootKernel({
      vcpu,
      hypervisor,
      options: { ...kernelDefaults, pcid: false },
      onMeasure: () => undefined,
    });
    return { policy, vcpu, hypervisor, system, oracle };
  }

  test("the supervisor's fetch from a page of its own that is not approved is denied in one exit", () => {
    const { policy, vcpu, hypervisor, system } = guest();
    system.syscall();
    expect(policy.denied).toBe(0);
    // Text is one 2 MiB page in this kernel; behind its code lie data and tables.
    const behind = 100;
    const page = (kernelLayout(4).text + behind) as Vpn;
    vcpu.setPrivilege("supervisor");
    hypervisor.memory.touch(behind as Gfn);
    vcpu.read(page);
    vcpu.drain();
    const before = vcpu.ledger.exits;
    vcpu.fetch(page);
    vcpu.drain();
    expect(policy.denied).toBe(1);
    expect(vcpu.ledger.exits - before).toBe(1);
  });

  test("what is approved later may run from then on, and programs of the user's always", () => {
    const { policy, vcpu, system, oracle } = guest();
    policy.enact({ kind: "approve-frames", start: 100 as Gfn, frames: 1 });
    vcpu.setPrivilege("supervisor");
    vcpu.fetch((kernelLayout(4).text + 100) as Vpn);
    vcpu.drain();
    system.exec(8);
    system.syscall();
    expect(policy.denied).toBe(0);
    expect(oracle.checked).toBeGreaterThan(100);
  });
});
