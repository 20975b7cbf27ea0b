/**
 * What one operation of a guest's guest costs at each level: exits that L1 sees, and exits that L0 takes for them.
 */
import { engineNamed } from "../../../bench/points/catalogue.ts";
import { levelsOf } from "../../../engines/nested/nested-hypervisor.ts";
import type { TestGuest } from "../../../engines/kvm/test-guest.ts";
import { assert } from "../../../machine/assert.ts";
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";
import { countsPerOperation, operations } from "../operations-table.ts";

/** L1 and L0 of KVM's, by what the pair is. */
const pairs = {
  "shadow on NPT": "kvm-6.1@kvm-tdp",
  "shadow on shadow": "kvm-6.1@kvm-6.1",
  "NPT on NPT": "kvm-tdp@kvm-tdp",
} as const;
type Pair = keyof typeof pairs;

const nameOfTable = "nested-operations";

export const nestedOperations: Experiment = {
  title: "What does one operation of a guest's guest cost at each level?",
  points: [],

  read() {
    const rows = operations.map((operation) => {
      const exits = (pair: Pair) => {
        const ledgers = ({ hypervisor, machine }: TestGuest) => [
          levelsOf(hypervisor)?.ofVcpu(0).l1.exits ?? Number.NaN,
          machine.vcpus[0]?.ledger.exits ?? Number.NaN,
        ];
        const [l1, l0] = countsPerOperation(operation, engineNamed(pairs[pair]), ledgers).map(six);
        return { l1: l1 ?? Number.NaN, l0: l0 ?? Number.NaN };
      };
      const onNpt = exits("shadow on NPT");
      const both = exits("NPT on NPT");
      return {
        operation: operation.name,
        l1Shadow: onNpt.l1,
        l0ShadowOnNpt: onNpt.l0,
        l0ShadowOnShadow: exits("shadow on shadow").l0,
        l1Npt: both.l1,
        l0NptOnNpt: both.l0,
      };
    });
    const named = (name: string) => {
      const row = rows.find(({ operation }) => operation === name);
      assert(row !== undefined, `why: no operation ${name}`);
      return row;
    };
    const cpuid = named("CPUID");
    const flush = named("INVLPG of a mapped page");
    const touch = named("first touch, A and D set");
    const fault = named("demand #PF");
    const cold = named("first touch of a frame that nested tables lack");
    const free = rows.filter(({ l0NptOnNpt }) => l0NptOnNpt === 0);
    return {
      claim: say`Every exit of the inner hypervisor is a round trip of several exits to the outer one: the exit itself, then each instruction that swaps state around its guest. Shadow paging exits often, so nesting multiplies what it pays; NPT on NPT exits only for a frame that is new.`,
      number: say`CPUID: ${cpuid.l1Shadow} exit for L1, ${cpuid.l0ShadowOnNpt} for L0; INVLPG ${flush.l0ShadowOnNpt}, the flush of the address included. First touch: L1's shadow fills eight entries at a fault (${touch.l1Shadow} exits), L0's shadow of them one by one (${touch.l0ShadowOnShadow}). Demand #PF, shadow on NPT/shadow on shadow/NPT on NPT: ${fault.l0ShadowOnNpt}/${fault.l0ShadowOnShadow}/${fault.l0NptOnNpt}. A new frame, NPT on NPT: ${cold.l1Npt} for L1, ${cold.l0NptOnNpt} for L0. ${free.length} of ${rows.length} operations cost NPT on NPT nothing.`,
      evidence: say`${nameOfTable}.csv, all ${rows.length} lines; measured counts in results/groundtruth/nested`,
      change: say`Virtual GIF, virtual VMLOAD and VMSAVE, or an L1 without virtualization hardware shorten the round trip; none of them makes it rarer.`,
      checks: [
        {
          direction: "each exit of L1's that nothing else accompanies costs L0 the same round trip",
          holds: cpuid.l0ShadowOnNpt === cpuid.l0ShadowOnShadow && cpuid.l0ShadowOnNpt > 1,
        },
        {
          direction: "shadow on shadow never takes fewer exits than shadow on NPT",
          holds: rows.every((row) => row.l0ShadowOnShadow >= row.l0ShadowOnNpt),
        },
        {
          direction: "NPT on NPT exits for no store, flush or CR3 load of L2's",
          holds: flush.l0NptOnNpt === 0 && fault.l0NptOnNpt === 0,
        },
      ],
      tables: [{ name: nameOfTable, rows }],
      figures: [],
    };
  },
};
