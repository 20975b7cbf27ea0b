import { describe, expect, test } from "vitest";
import type { Guest, Pid } from "../guest/guest.ts";
import { Prng } from "../guest/prng.ts";
import { testGuest } from "../guest/test-guest.ts";
import type { Vpn } from "../machine/address.ts";
import { workloads } from "./index.ts";
import { paramChoices } from "./options.ts";
import type { Workload, WorkloadParams } from "./workload.ts";

/** A program small enough to check each of its accesses: big numbers shrunk, everything else as it is. */
function smallParams(defaults: WorkloadParams): WorkloadParams {
  return Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => {
      const isLarge = typeof value === "number" && value > 256;
      return [name, isLarge ? Math.ceil(Math.max(64, value / 64)) : value];
    }),
  );
}

/** The parameters, and each of their variants that a sweep may ask for. */
function variants(params: WorkloadParams): WorkloadParams[] {
  const choices = Object.entries(paramChoices).filter(([name]) => name in params);
  return [
    params,
    ...choices.flatMap(([name, values]) => values.map((value) => ({ ...params, [name]: value }))),
  ];
}

/** Every call of a program, with its arguments, as one number. */
class CallHash {
  hash = 0x811c_9dc5;
  calls = 0;

  add(...words: readonly number[]): void {
    this.calls += 1;
    for (const word of words) {
      // FNV-1a's multiplication, on a sum: any change of any argument changes what follows.
      this.hash = Math.imul(this.hash + (word % 0x1_0000_0000), 0x0100_0193);
    }
  }
}

/** A guest that only writes down what it is asked; addresses and processes are numbered. */
function recorder(hash: CallHash): Guest {
  let next = 0x1000;
  let pids = 1;
  const note =
    (code: number) =>
    (...words: readonly number[]): void =>
      hash.add(code, ...words);
  return {
    image: 0x1_0000_0000 as Vpn,
    map: (pages, { fill, pages: size }) => {
      hash.add(1, pages, fill.length, size.length);
      next += pages;
      return (next - pages) as Vpn;
    },
    mapAt: (vpn, pages) => hash.add(2, vpn, pages),
    unmap: note(3),
    protect: (vpn, pages, access) => hash.add(4, vpn, pages, access.length),
    read: note(5),
    write: note(6),
    fetch: note(7),
    compute: note(8),
    fork: () => {
      pids += 1;
      hash.add(9, pids);
      return pids as Pid;
    },
    exec: note(10),
    exit: note(11),
    switchTo: note(12),
    syscall: () => hash.add(13),
    host: ({ kind }) => {
      hash.add(14, kind.length);
      return 0;
    },
    measure: () => hash.add(15),
  };
}

function callHash(workload: Workload, params: WorkloadParams, seed: number): CallHash {
  const hash = new CallHash();
  workload.run(recorder(hash), params, new Prng(seed));
  return hash;
}

/** A recorded system brings its own kernel, so no guest of ours makes its calls. */
const programs = Object.entries<Workload>(workloads).filter(
  ([, workload]) => !("system" in workload),
);

describe.each(programs)("workload %s", (_name, workload) => {
  const params = smallParams(workload.defaults);

  test("makes the same calls for the same seed", () => {
    const once = callHash(workload, params, 5);
    expect(once.calls).toBeGreaterThan(100);
    expect(callHash(workload, params, 5)).toEqual(once);
  });

  test("runs in the memory it asks for, measures once, and computes", () => {
    for (const variant of variants(params)) {
      const options = workload.guestOptions(variant);
      const { guest, vcpu, measures } = testGuest(options, workload.guestFrames(variant));
      workload.run(guest, variant, new Prng(3));
      expect(measures()).toBe(1);
      expect(vcpu.snapshot().ledger.computeOps).toBeGreaterThan(0);
    }
  });

  test("says where its compute cycles come from", () => {
    expect(workload.computeCycles.perOp).toBeGreaterThan(0);
    expect(workload.computeCycles.source).toMatch(/^(?:(?:assumed|measured): .+|[A-Z]{2}\d\d-\d+)/);
    expect(workload.title).not.toBe("");
    expect(workload.summary).not.toBe("");
  });
});

test("programs that draw at random make other calls for another seed", () => {
  const fixed = new Set([
    "sequential",
    "strided",
    "demand-storm",
    "forkwait",
    "context-switch",
    "syscalls",
  ]);
  for (const [name, workload] of programs) {
    const params = smallParams(workload.defaults);
    // A recording is played as it was recorded.
    const isFixed = fixed.has(name) || name.startsWith("trace:");
    const differs = callHash(workload, params, 1).hash !== callHash(workload, params, 2).hash;
    expect(differs, name).toBe(!isFixed);
  }
});

test("2 MiB pages are really used where a program asks for them", () => {
  const params = { ...smallParams(workloads.uniform.defaults), pageSize: "2m" as const };
  const { guest, vcpu } = testGuest({}, 4096);
  const uniform: Workload = workloads.uniform;
  uniform.run(guest, { ...params, pages: 1000 }, new Prng(1));
  // 1000 pages need two entries; each would need 1000 small ones.
  expect(vcpu.snapshot().ledger.pteStores).toBeLessThan(64);
});
