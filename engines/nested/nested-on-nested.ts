/**
 * Both have nested tables: L0 shadows L1's, and silicon walks L2's own tables and L0's shadow ("multi-dimensional paging").
 *
 * Buys: what L2 does to its own tables exits to nobody. Pays: each entry that L1 sets is a trapped store and a fault of
 * L0's.
 *
 * L0's direct tables for L1 and its shadow of L1's nested tables are pages of one VM, so protecting a table of L1's takes
 * W from the direct entry that maps it.
 *
 * Source: rules 6 and 8 of results/groundtruth/nested; Turtles 3.3.3.
 */
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { PF_FETCH, PF_USER, PF_WRITE } from "../../machine/page-fault.ts";
import type { VmExit } from "../../machine/exits.ts";
import type { CachedTranslations } from "../../machine/mmu.ts";
import type { Registers } from "../../machine/registers.ts";
import { eptStage, twoStages } from "../../machine/stages.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import type { EngineOptions } from "../../hypervisor/engine.ts";
import { createHostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { amdNested, directTables, type NestedVendor } from "../kvm-tdp-legacy.ts";
import { notifierOf } from "../kvm/host-events.ts";
import type { ShadowPolicy } from "../kvm/policy.ts";
import { createVm } from "../kvm/vm.ts";
import { lazyShadow } from "../shadow-lazy.ts";
import { eptGuest, eptTables } from "./ept-view.ts";
import { isAskedBy, type Level0, mergedControls } from "./level0.ts";
import type { NestedCpu } from "./nested-cpu.ts";
import { refuse } from "./one-level-only.ts";

/** L2's accesses as those of a guest whose page tables are L1's nested ones. */
interface ComposedCpu extends VirtualCpu {
  cr3: VirtualCpu["cr3"];
  registers: Registers;
  /** L0's shadow of the nested tables. */
  root: Pfn | null;
}

/** Whose nested tables both levels have. */
export type NestedFormat = "npt" | "ept";

const vendors: Readonly<Record<NestedFormat, NestedVendor>> = {
  npt: amdNested,
  ept: { stage: (root, levels) => eptStage(root, levels, true), exits: {} },
};

export function nestedOnNested(
  platform: Platform,
  policy: ShadowPolicy,
  options: EngineOptions,
  format: NestedFormat = "npt",
): Level0 {
  const vendor = vendors[format];
  const memory = createHostMemory(platform);
  const guest = format === "ept" ? eptGuest(memory) : null;
  const tables = format === "ept" ? eptTables(platform.memory) : platform.memory;
  const views = { guest: guest ?? memory, memory: tables };
  const vm = createVm(platform, { policy, kind: "nested", options, views });
  memory.attach(notifierOf(vm));
  const direct = { ...directTables(vm, vendor), memory };
  const composed = lazyShadow(vm);
  const cpus = platform.vcpus.map((cpu) => composedCpu(cpu, platform.vcpus.length));

  return {
    hypervisor: direct,
    enter({ outer, inner, l2 }) {
      const { controls, isRootNew, root, pcid } = inner.block;
      const cpu = cpus[outer.id]!;
      const nested = controls.stages(l2.registers.levels).at(-1)!;
      assert(nested.root !== null, "nested: L1 has no nested tables");
      const { levels } = nested.shape;
      if (guest !== null) guest.hasMarks = nested.marks;
      outer.isInL2 = true;
      cpu.cr3 = { root: nested.root as number as Gfn, pcid: 0, keep: false };
      cpu.registers = { ...cpu.registers, levels: levels as Registers["levels"] };
      if (cpu.root === null) composed.boot(cpu, cpu.cr3, cpu.registers);
      else composed.exit({ reason: "cr3-write", cr3: cpu.cr3 }, cpu);
      const stages = twoStages({
        ...vendor.stage(cpu.root!, cpu.registers.levels),
        // As L1 asks for, which decides whether a walk of L2's tables counts as a write (KVM `construct_eptp`).
        marks: nested.marks,
      });
      l2.setControls(mergedControls(controls, outer.controls, { stages, walk: null }));
      if (isRootNew) l2.setHardwareRoot(root, pcid);
    },
    leave({ outer }: NestedCpu) {
      outer.isInL2 = false;
    },
    answer(exit, { outer, inner }) {
      if (exit.reason !== "ept-violation") {
        return isAskedBy(inner.block.controls, exit) ? { reflect: exit } : direct.exit(exit, outer);
      }
      const resolution = composed.exit(asPageFault(exit), cpus[outer.id]!);
      return typeof resolution === "object" ? { reflect: exit } : resolution;
    },
    invalidatePage(vpn, { l2 }) {
      l2.mmu.invalidatePage(vpn);
    },
  };
}

type EptViolation = Extract<VmExit, { readonly reason: "ept-violation" }>;

/** L2's frame number is the address that L1's nested tables translate; all of L2's accesses are a user's there. */
function asPageFault({ gfn, access, store }: EptViolation): VmExit {
  const kind = { read: 0, write: PF_WRITE, fetch: PF_FETCH }[access];
  return {
    reason: "page-fault",
    vpn: gfn as number as Vpn,
    offset: 0,
    error: PF_USER | kind,
    store,
  };
}

function composedCpu(outer: VirtualCpu, firstId: number): ComposedCpu {
  const mmu: CachedTranslations = {
    ...outer.mmu,
    // An address of L2's memory is no linear one, and silicon dropped what it had of it at the violation.
    invalidatePage: () => undefined,
  };
  return {
    id: firstId + outer.id,
    node: outer.node,
    vmid: outer.vmid,
    fence: refuse,
    ledger: outer.ledger,
    otherLevels: [],
    mmu,
    cr3: { root: 0 as Gfn, pcid: 0, keep: false },
    controls: outer.controls,
    registers: { writeProtect: true, globalPages: false, pcid: false, levels: 4 },
    root: null,
    knownRoots: [],
    setSwitchedRoot: refuse,
    setTimer: refuse,
    counted: refuse,
    setControls: () => undefined,
    setHardwareRoot(frame) {
      this.root = frame as number as Pfn;
    },
    emulateStore: ({ vpn }) => assert(false, `nested: L2's frame ${vpn} is a table of L1's`),
    emulateMmio: ({ vpn }) => assert(false, `nested: no memory of L1's behind L2's frame ${vpn}`),
    invalidatePcid: () => outer.mmu.flushLinear(),
  };
}
