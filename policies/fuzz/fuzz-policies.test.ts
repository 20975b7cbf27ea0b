/**
 * Random guests under random rules, and bugs of a hypervisor that enforces them, planted one by one: the oracle must
 * find each. The same guests pass without the plant. Found here, too: tables with the paging-write bit in host frames that
 * a snapshot shares, which walks then marked for both.
 */
import { describe, expect, test } from "vitest";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { Storer } from "../../hypervisor/policy/rules.ts";
import { fuzzPolicies, type PolicyFuzzOptions } from "./fuzz-policies.ts";
import { type PolicedTargetName, policedTargetNames } from "./policed-targets.ts";

const patience = 120_000;

test(
  "random guests under random rules do nothing that a rule forbids, under any scheme",
  () => {
    const { failure, denied, checked } = fuzz(policedTargetNames, 20_000);
    expect(failure).toBeNull();
    expect(checked).toBeGreaterThan(50_000);
    expect(denied).toBeGreaterThan(500);
  },
  patience,
);

// Seen failing: a TLB and a nested TLB that do not say of which view a translation is (ept-views, seed 1, 60,000 ops).
// Seen failing: an SPP translation cached writable, vectors of the lines that are locked, a new leaf of such a page that is
// writable or asks although others use its frame (ept-spp, seed 1, 60,000 ops).
// Seen failing: a large page of the guest's that covered a locked one in the TLB under HLAT (seed 1, 20,000 ops).
test.each([2, 3, 4])(
  "nor those of seed %i",
  (seed) => {
    expect(fuzz(policedTargetNames, 12_000, { seed }).failure).toBeNull();
  },
  patience,
);

/** A hypervisor that does not ask about one kind of store. */
function unasked(who: Storer): (policy: MemoryPolicy) => void {
  return (policy) => {
    const mayStore = policy.mayStore.bind(policy);
    policy.mayStore = (gfn, by, ...rest) => by === who || mayStore(gfn, by, ...rest);
  };
}

const plants: readonly {
  readonly name: string;
  readonly target: PolicedTargetName;
  readonly plant: (policy: MemoryPolicy) => void;
}[] = [
  { name: "the emulator is not asked about", target: "shadow", plant: unasked("emulator") },
  { name: "the emulator is not asked about", target: "kvm-6.12", plant: unasked("emulator") },
  { name: "an alias is not asked about", target: "shadow", plant: unasked("guest") },
  { name: "an alias is not asked about", target: "kvm-6.12", plant: unasked("guest") },
  { name: "an alias is not asked about", target: "ept", plant: unasked("guest") },
  { name: "A and D bits are not asked about", target: "shadow", plant: unasked("walker") },
  { name: "A and D bits are not asked about", target: "kvm-6.12", plant: unasked("walker") },
  { name: "a device is not asked about", target: "ept", plant: unasked("device") },
  { name: "a balloon is not asked about", target: "kvm-6.12", plant: unasked("reclaim") },
  {
    name: "walks mark guarded tables that are locked",
    target: "ept-all4-pw",
    plant(policy) {
      policy.takesMarks = (gfn) => policy.isGuarded(gfn);
    },
  },
  {
    name: "a bound frame is mapped as any other",
    target: "ept-hlat-gpv",
    plant(policy) {
      policy.isBound = () => false;
    },
  },
  {
    name: "the lock is lost on the way down, so that the role of a table is nobody's",
    target: "shadow",
    plant(policy) {
      policy.pages.below = () => 0;
    },
  },
  {
    name: "the lock is not part of the role",
    target: "kvm-6.12",
    plant(policy) {
      policy.pages.roleOf = () => 0;
    },
  },
  {
    name: "locked lines are open to silicon",
    target: "ept-spp",
    plant(policy) {
      policy.lockedLines = () => 0;
    },
  },
  {
    name: "a locked line locks the page",
    target: "ept-spp",
    plant(policy) {
      const mayStore = policy.mayStore.bind(policy);
      policy.mayStore = (gfn, by, page) => mayStore(gfn, by, page);
      policy.locksLinesOnly = () => false;
    },
  },
  {
    name: "the emulator is not asked about lines",
    target: "ept",
    plant(policy) {
      const mayStore = policy.mayStore.bind(policy);
      policy.mayStore = (gfn, by, page) => mayStore(gfn, by, page, 0);
    },
  },
  {
    name: "a monitor's frames are as all others in the programs' view",
    target: "ept-views",
    plant(policy) {
      const enact = policy.enact.bind(policy);
      policy.enact = (rule) => {
        if (rule.kind === "monitor-frames") policy.onRule?.(rule);
        else enact(rule);
      };
    },
  },
  {
    name: "what is hidden is mapped",
    target: "ept",
    plant(policy) {
      policy.isHidden = () => false;
    },
  },
  {
    name: "a denied access is run again",
    target: "shadow",
    plant(policy) {
      policy.deny = () => "resume";
    },
  },
  {
    name: "a denial is on no record",
    target: "ept",
    plant(policy) {
      const deny = policy.deny.bind(policy);
      policy.deny = (verdict) => deny({ ...verdict, vpn: -2 });
    },
  },
];

describe("planted", () => {
  test.each(plants)(
    "$name ($target)",
    ({ target, plant }) => {
      expect(fuzz([target], 150_000, { plant }).failure).not.toBeNull();
    },
    patience,
  );
});

function fuzz(
  targets: readonly PolicedTargetName[],
  ops: number,
  { seed = 1, plant }: Pick<Partial<PolicyFuzzOptions>, "seed" | "plant"> = {},
) {
  const onProgress = (): void => undefined;
  return fuzzPolicies({ seed, ops, targets, onProgress, ...(plant && { plant }) });
}
