/**
 * What a lock on the kernel's text costs: nothing where the hypervisor stands between the guest's entries and the
 * translation anyway.
 */
import { expect, test } from "vitest";
import { engines } from "../engines/index.ts";
import { kernelTextLock } from "./kernel-text.ts";
import { policed, type PolicedProgram, runPoliced } from "./policed-run.ts";

const small = {
  forkwait: { workload: "forkwait", params: { forks: 20 } },
  "mprotect-gc": {
    workload: "mprotect-gc",
    params: { pages: 256, collectionRounds: 2, accesses: 2000 },
  },
  syscalls: { workload: "syscalls", params: { calls: 500 } },
  boot: { workload: "boot", params: { services: 3 } },
  compile: { workload: "compile", params: { jobs: 1 } },
  "key-value": { workload: "key-value", params: { pages: 1024, requests: 1000 } },
  uniform: { workload: "uniform", params: { pages: 1024, accesses: 20_000 } },
} as const satisfies Record<string, PolicedProgram>;

// Seen failing with a lock that comes when the guest already runs, which lazy shadow pays by faults on what it dropped.
test.each(["shadow", "kvm-6.12"] as const)("%s locks kernel text at no exit more", (name) => {
  const exits = (engine: Parameters<typeof runPoliced>[0]) =>
    Object.values(small).map(
      (program) => runPoliced(engine, program).regions.measured.ledger.exits,
    );
  const locked = policed(engines[name], kernelTextLock(4));
  expect(exits(locked)).toEqual(exits(engines[name]));
});

test("EPT refuses a lock on pages, for it knows frames only", () => {
  const create = () => runPoliced(policed(engines.ept, kernelTextLock(4)), small.uniform);
  expect(create).toThrow("cannot lock a page");
});

test("an engine that enforces no rules is given none without a word", () => {
  const create = () =>
    runPoliced(policed(engines["shadow-vtlb"], kernelTextLock(4)), small.uniform);
  expect(create).toThrow("enforces no policy");
});
