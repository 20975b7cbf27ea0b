/**
 * For tests: a booted guest on bare metal, and a walk of its tables that trusts nothing but memory.
 *
 * The machine has small caches of every kind, so that a stale translation stays long enough to be used.
 */
import { directMemory } from "../hypervisor/direct-memory.ts";
import { assert } from "../machine/assert.ts";
import { indexAt, type Pfn, type Vpn } from "../machine/address.ts";
import {
  frameOf,
  freshPage,
  isAccessed,
  isLarge,
  isPresent,
  isUser,
  isWritable,
  nxOf,
} from "../machine/formats/x86-entry.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import { bareMetalControls } from "../machine/controls.ts";
import { fastMmu } from "../machine/fast.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { Machine } from "../machine/machine.ts";
import type { PhysicalMemory } from "../machine/memory.ts";
import { FETCH, STORE, USER } from "../machine/mmu.ts";
import type { Observer } from "../machine/observer.ts";
import { type Preset, presets } from "../machine/presets.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import { type BootedKernel, bootWithDrivers } from "./kernel.ts";
import type { OperatingSystem } from "./operating-system.ts";
import { kernelDefaults, type KernelOptions } from "./options.ts";

export interface TestGuest {
  /** On the first processor. */
  readonly guest: OperatingSystem;
  readonly kernel: BootedKernel;
  readonly vcpu: Vcpu;
  readonly memory: PhysicalMemory;
  readonly events: readonly HostEvent[];
  /** How often the workload said that its set-up is done. */
  readonly measures: () => number;
}

const small = { sets: 16, ways: 4 };
const caches = { 2: small, 3: small, 4: small, 5: small };
const preset: Preset = {
  ...presets.textbook,
  l1Data: { "4k": small, "2m": small, "1g": small },
  l1Code: { "4k": small, "2m": small },
  stlb: { sets: 128, ways: 8 },
  stlb1g: small,
  pwc: caches,
};

/** Boots; every access from then on is checked against the tables in memory. */
export function testGuest(
  options: Partial<KernelOptions> = {},
  guestFrames = 8192,
  vcpus = 1,
): TestGuest {
  const machine = new Machine({
    preset,
    mmu: fastMmu,
    guestFrames,
    vcpus,
    seed: 1,
    backing: "4k",
    nestedLevels: 4,
    placement: "scatter",
  });
  const { memory } = machine;
  const [vcpu, ...others] = machine.vcpus;
  assert(vcpu !== undefined, "test: a machine without processors");
  const events: HostEvent[] = [];
  const hypervisor: Hypervisor = {
    memory: directMemory(memory, machine.guestFrames),
    boot(cpu, cr3) {
      cpu.setControls(bareMetalControls);
      cpu.setHardwareRoot(cr3.root, cr3.pcid);
    },
    exit: () => "resume",
    host(event) {
      events.push(event);
      return [];
    },
  };
  let measured = 0;
  for (const each of machine.vcpus) each.observer = tableChecker(each, memory);
  const kernel = bootWithDrivers({
    vcpu,
    others,
    hypervisor,
    options: { ...kernelDefaults, ...options },
    onMeasure: () => {
      measured += 1;
    },
  });
  return { guest: kernel.system, kernel, vcpu, memory, events, measures: () => measured };
}

export interface Mapping {
  readonly pfn: number;
  readonly writable: boolean;
  readonly user: boolean;
  readonly executable: boolean;
  /** Is A set in the entry that maps? */
  readonly accessed: boolean;
  /** Level of the entry that maps: 1 for 4 KiB, 2 for 2 MiB. */
  readonly level: number;
}

/** What the tables under the current CR3 say now. */
export function mappingOf(vcpu: Vcpu, memory: PhysicalMemory, vpn: Vpn): Mapping | null {
  let table = vcpu.cr3.root as number;
  let rights = freshPage;
  let nx = 0;
  for (let level: number = vcpu.registers.levels; level >= 1; level--) {
    const low = memory.readLow(table as Pfn, indexAt(vpn, level));
    const high = memory.readHigh(table as Pfn, indexAt(vpn, level));
    if (!isPresent(low)) return null;
    rights &= low;
    nx |= nxOf(high);
    table = frameOf(low, high);
    if (level > 1 && !isLarge(low)) continue;
    const pfn = table + (vpn % 512 ** (level - 1));
    return {
      pfn,
      writable: isWritable(rights),
      user: isUser(rights),
      executable: nx === 0,
      accessed: isAccessed(low),
      level,
    };
  }
  return null;
}

function tableChecker(vcpu: Vcpu, memory: PhysicalMemory): Observer {
  const nothing = (): void => {};
  return {
    access(_cpu, vpn, high, pfn) {
      const mapping = mappingOf(vcpu, memory, vpn);
      assert(mapping !== null, `test: vpn ${vpn} was translated but is not mapped`);
      const { pfn: expected, writable, user, executable } = mapping;
      assert(pfn === expected, `test: vpn ${vpn} led to frame ${pfn}, not to ${expected}`);
      assert(writable || (high & STORE) === 0, `test: vpn ${vpn} was stored to but is read-only`);
      assert(user || (high & USER) === 0, `test: vpn ${vpn} is the kernel's`);
      assert(executable || (high & FETCH) === 0, `test: vpn ${vpn} was fetched but holds data`);
    },
    storing: nothing,
    copying: () => 0,
    copied: nothing,
    emulated: nothing,
    guestFault: nothing,
    mmio: nothing,
    denied: nothing,
    invalidated: nothing,
  };
}
