/**
 * The enlightened VMCS beside the two other ways to a control block: exits of one operation, and what L0 copies.
 *
 * Seen failing with a bitmap that stays clear, with a fetch that takes every group, and with INVEPT for the call.
 */
import { describe, expect, test } from "vitest";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Gfn } from "../../machine/address.ts";
import { findEngine } from "../index.ts";
import { userPage } from "../../machine/formats/x86-entry.ts";
import { TestGuest } from "../kvm/test-guest.ts";
import { type LevelCounts, levelsOf } from "./nested-hypervisor.ts";

function named(name: string): Engine {
  const engine = findEngine(name);
  if (engine === undefined || "problem" in engine) throw new Error(`no engine ${name}`);
  return engine;
}

function countsOf({ hypervisor }: TestGuest, vcpu = 0): LevelCounts {
  return levelsOf(hypervisor)!.ofVcpu(vcpu);
}

test.each([
  ["ept@ept+vmread", 13],
  ["ept@ept", 2],
  ["ept@ept+evmcs", 2],
  ["shadow-lazy@ept+vmread", 13],
  ["shadow-lazy@ept", 2],
  ["shadow-lazy@ept+evmcs", 2],
] as const)("%s: CPUID costs L0 %i exits", (name, exits) => {
  const guest = new TestGuest(named(name));
  const [vcpu] = guest.machine.vcpus;
  vcpu?.cpuid();
  expect(guest.exits(() => vcpu?.cpuid())).toBe(exits);
});

describe("what L1 touched is copied, and no more:", () => {
  /** RSP's group and the event's go with every entry. */
  const everyEntry = 2;
  const copied = (name: string, act: (guest: TestGuest) => void) => {
    const guest = new TestGuest(named(name));
    const { root } = guest.space(0, 4, userPage);
    guest.load(root);
    guest.read(0);
    guest.machine.vcpus[0]?.drain();
    const before = countsOf(guest).groupsCopied;
    act(guest);
    return countsOf(guest).groupsCopied - before;
  };
  test.each([
    ["CPUID", (guest: TestGuest) => guest.machine.vcpus[0]?.cpuid(), everyEntry],
    // Another root: the group of the control registers.
    ["CR3 load", (guest: TestGuest) => guest.load(0x10 as Gfn), everyEntry + 1],
  ] as const)("%s", (_, act, groups) => {
    expect(copied("shadow-lazy@ept+evmcs", act)).toBe(groups);
  });

  test("nothing where silicon or instructions carry it", () => {
    expect(copied("shadow-lazy@ept", (guest) => guest.machine.vcpus[0]?.cpuid())).toBe(0);
  });
});

test.each([
  ["ept-wp@ept", [1, 1], 0],
  ["ept-wp@ept+evmcs", [0, 0], 1],
] as const)("%s: a flush of two vCPUs is INVEPT on each, or one call", (name, invept, calls) => {
  const guest = new TestGuest(named(name), { vcpus: 2 });
  const { root } = guest.space(0, 4, userPage);
  guest.load(root);
  guest.write(0);
  guest.hypervisor.host({ kind: "dirty-log-on", start: 0 as Gfn, frames: 4096 });
  const before = [0, 1].map((id) => ({ ...countsOf(guest, id).instructions }));
  guest.machine.vcpus[0]?.cpuid();
  const after = [0, 1].map((id) => countsOf(guest, id).instructions);
  const made = (what: "invept" | "vmcall") => after.map((now, i) => now[what] - before[i]![what]);
  expect(made("invept")).toEqual(invept);
  expect(made("vmcall")).toEqual([calls, 0]);
});

test.each([
  ["npt@npt+evmcs", /Intel's, and npt is AMD's/],
  ["ept@ept+vgif", /AMD's, and ept is Intel's/],
  ["pvm@ept+evmcs", /no virtualization hardware/],
  ["ept@ept+x", /none of \+vmread, \+evmcs, \+vgif, \+vls/],
  ["ept@ept+evmcs+vmread", /one word/],
])("%s is refused", (name, reason) => {
  const answer = findEngine(name);
  expect(answer !== undefined && "problem" in answer ? answer.problem : "").toMatch(reason);
});
