/**
 * A hypervisor inside a guest: exits and switches per operation of L2 (Turtles, PVM), and the gain of nested tables at both
 * levels.
 *
 * PVM counts n stores of table levels per fault. KVM traps the first only, since tables below are new to it, so its formulas
 * are bounds that n = 1 reaches.
 */
import type { Vpn } from "../../../machine/address.ts";
import { userPage } from "../../../machine/formats/x86-entry.ts";
import { engineNamed } from "../../../bench/points/catalogue.ts";
import { engines } from "../../../engines/index.ts";
import { TestGuest } from "../../../engines/kvm/test-guest.ts";
import { createNest, type Nest } from "../../../engines/nested/nest.ts";
import { nestedOnNested } from "../../../engines/nested/nested-on-nested.ts";
import { shadowOnNested } from "../../../engines/nested/shadow-on-nested.ts";
import { exitingVmx } from "../../../engines/nested/world-switch.ts";
import { shadowPolicies } from "../../../engines/kvm/policy.ts";
import type { CreateEngine, Engine } from "../../../hypervisor/engine.ts";
import { assert } from "../../../machine/assert.ts";
import { compile } from "../../../workloads/compile.ts";
import type { Claim } from "../claim.ts";

/** Times that an operation is repeated: one table's worth. */
const repeats = 256;

/** Intel's of 2010: no shadowing of the control block. */
function of2010(title: string, level1: CreateEngine, level0: Nest["level0"]): Engine {
  const create = createNest({ level1, level0, features: exitingVmx });
  return { title, family: "nested", create };
}

const eptOnEpt = of2010("EPT on EPT, 2010", engines.ept.create, (platform, options) =>
  nestedOnNested(platform, shadowPolicies["kvm-6.1"], options, "ept"),
);
const shadowOnEpt = of2010(
  "shadow on EPT, 2010",
  engines["shadow-lazy"].create,
  (platform, options) => shadowOnNested(engines.ept.create(platform, options)),
);

/** Exits to L0 for one CPUID of L2's. */
function exitsPerCpuid(): number {
  const guest = new TestGuest(eptOnEpt);
  const [vcpu] = guest.machine.vcpus;
  return guest.exits(() => vcpu?.cpuid());
}

/** EPT on EPT: a page whose frame L1 has not mapped yet, all tables above it there. */
function exitsPerViolation(): number {
  const guest = new TestGuest(engineNamed("ept@ept"));
  const { root } = guest.space(0, repeats, userPage);
  guest.load(root);
  guest.read(0);
  const touch = () => {
    for (let page = 8; page < repeats; page++) guest.read(page);
  };
  return guest.exits(touch) / (repeats - 8);
}

/** Shadow on EPT: a fault whose handler stores one entry, in a table that was flushed since its last store. */
function exitsPerGuestFault(): number {
  const guest = new TestGuest(engineNamed("kvm-6.1@ept"));
  const tables = guest.space(0, 0);
  // L0 knows the frames, and L1 has the tables above the leaf: both are warm, as the paper assumes.
  for (let page = 0; page < repeats; page++) {
    guest.machine.vcpus[0]?.write(guest.data(page) as number as Vpn);
  }
  guest.load(tables.root);
  guest.set(tables.pt, 0, guest.data(0), userPage);
  guest.read(0);
  const [vcpu] = guest.machine.vcpus;
  assert(vcpu !== undefined, "published: no vCPU");
  vcpu.software = {
    pageFault({ vpn }) {
      const page = vpn % 512;
      guest.store(tables.pt, page, guest.data(page), userPage);
      return "retry";
    },
  };
  let exits = 0;
  for (let page = 8; page < repeats; page++) {
    guest.load(tables.root);
    exits += guest.exits(() => guest.write(page));
  }
  return exits / (repeats - 8);
}

const build = { program: compile, params: { jobs: 2, kpti: 0, pcid: 0, usedMemory: 1 } } as const;
const host = "nehalem";

export const nested: readonly Claim[] = [
  {
    name: "nested CPUID, control-block accesses",
    class: "b",
    published: "TU10-013",
    compare: { kind: "equal" },
    unit: "exits",
    how: "ept in a guest of ept, no VMCS shadowing: exits of one CPUID of L2, less its own and VMRESUME",
    simulate: () => exitsPerCpuid() - 2,
    note: "7 reads and 4 writes are data of the world switch, not counted from a hypervisor's code",
  },
  {
    name: "nested CPUID, switches each way",
    class: "b",
    published: "TU10-014",
    compare: { kind: "equal" },
    unit: "switches",
    how: "ept in a guest of ept, no VMCS shadowing: exits to L0 of one CPUID of L2",
    simulate: exitsPerCpuid,
  },
  {
    name: "L2 fault, EPT on EPT, n = 1",
    class: "b",
    published: "1 + PV23-003[1]",
    compare: { kind: "equal" },
    unit: "exits",
    how: "ept@ept, first touch of a frame new to L1: exits to L0",
    simulate: exitsPerViolation,
  },
  {
    name: "L2 fault, EPT on EPT, n = 1, switches",
    class: "b",
    published: "PV23-004[1] + PV23-004[2]",
    compare: { kind: "equal" },
    unit: "switches",
    how: "ept@ept, first touch of a frame new to L1: exits to L0, there and back",
    simulate: () => 2 * exitsPerViolation(),
  },
  {
    name: "L2 fault, shadow on EPT, n = 1",
    class: "b",
    published: "PV23-001[1] + PV23-001[2]",
    compare: { kind: "equal" },
    unit: "exits",
    how: "kvm-6.1@ept, guest fault whose handler stores one entry of a table just flushed: exits to L0",
    simulate: exitsPerGuestFault,
  },
  {
    name: "L2 fault, shadow on EPT, n = 1, switches",
    class: "b",
    published: "PV23-002[1] + PV23-002[2]",
    compare: { kind: "equal" },
    unit: "switches",
    how: "kvm-6.1@ept, the same: exits to L0, there and back",
    simulate: () => 2 * exitsPerGuestFault(),
  },
  {
    name: "kernel build, EPT on EPT against shadow on EPT",
    class: "c",
    published: "TU10-010",
    compare: { kind: "same side" },
    unit: "x",
    how: "compile on nehalem, no VMCS shadowing: cycles of shadow-lazy in a guest of ept over ept in a guest of ept",
    simulate: (stage) =>
      stage.ratio({ ...build, engine: shadowOnEpt, host }, { ...build, engine: eptOnEpt, host }),
    note: "read off a bar; prices of the nested switch are of a newer part; how often the build faults decides: 42 us a fault here, as gcc -O2 does, and at 11 us 3.37 (why --topic nested --only mix)",
  },
];
