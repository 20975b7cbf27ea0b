/**
 * What the host takes away and gives back, under every engine and the oracle's eyes.
 */
import { describe, expect, test } from "vitest";
import type { Gfn } from "../../machine/address.ts";
import { type EngineName, engines } from "../../engines/index.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { checkedGuest } from "./checked-guest.ts";

const virtualized = Object.keys(engines).filter((name) => name !== "native") as EngineName[];
const page = 1200;

describe.each(virtualized)("%s", (engine) => {
  test.each(["4k", "2m"] as const)("a page on %s host pages comes back as it was", (backing) => {
    const { vcpu, hypervisor, direct } = checkedGuest({ engine, backing });
    vcpu.write(direct(page));
    vcpu.read(direct(page + 1));
    vcpu.drain();
    hypervisor.host({ kind: "evict", start: page as Gfn, frames: 1 });
    expect(vcpu.ledger.hostSwapOuts).toBe(1);
    expect(vcpu.ledger.hostMajorFaults).toBe(0);
    const faults = vcpu.ledger.hostFaults;
    vcpu.read(direct(page));
    vcpu.write(direct(page));
    vcpu.read(direct(page + 1));
    vcpu.drain();
    expect(vcpu.ledger.hostMajorFaults).toBe(1);
    expect(vcpu.ledger.hostFaults).toBe(faults);
  });

  test("a guest table keeps its entries in swap", () => {
    const { vcpu, hypervisor, table } = checkedGuest({ engine });
    vcpu.write(0 as never);
    vcpu.drain();
    for (const level of [1, 2, 3, 4]) {
      hypervisor.host({ kind: "evict", start: table(0, level), frames: 1 });
    }
    vcpu.invlpg(0 as never);
    vcpu.read(0 as never);
    vcpu.drain();
    expect(vcpu.ledger.guestPageFaults).toBe(0);
  });

  // Planted: silicon ignores every flush that a hypervisor asks for.
  test("a flush that is forgotten is found", () => {
    const mmu: MmuFactory = (memory, preset) => {
      const unit = fastMmu(memory, preset);
      return { ...unit, flushNested() {}, flushLinear() {} };
    };
    const { vcpu, hypervisor, direct } = checkedGuest({ engine, mmu });
    vcpu.write(direct(page));
    vcpu.drain();
    hypervisor.host({ kind: "evict", start: page as Gfn, frames: 1 });
    vcpu.write(direct(page));
    expect(() => vcpu.drain()).toThrow(/reached pfn 0x[0-9a-f]+ \(nobody's\)/);
  });
});

test("swapping out a page of a 2 MiB mapping takes its neighbours with it", () => {
  for (const engine of ["ept", "kvm-tdp", "kvm-tdp-legacy"] as const) {
    const { vcpu, hypervisor, direct } = checkedGuest({ engine, backing: "2m" });
    vcpu.write(direct(page));
    vcpu.drain();
    hypervisor.host({ kind: "evict", start: page as Gfn, frames: 4 });
    expect(vcpu.ledger.neighboursUnmapped, engine).toBe(508);
  }
});
