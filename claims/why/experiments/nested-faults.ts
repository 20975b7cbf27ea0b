/**
 * A fault of a guest's guest by the levels of tables that are new to it: PVM's formulas beside what each mechanism counts.
 */
import { engineNamed } from "../../../bench/points/catalogue.ts";
import type { StoredEntries } from "../../../engines/kvm/faulting-guest.ts";
import { assert } from "../../../machine/assert.ts";
import { joined, say } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import { countGuestFault, countNewFrames } from "../nested-faults.ts";

const newLevels = [1, 2, 3, 4] as const satisfies readonly StoredEntries[];
const nameOfTable = "nested-faults";

/** L0 runs L2's exits, L1's stores and L1's VMRESUME: PVM 2023, section 2.2. */
const published = {
  shadowOnEpt: (n: number) => 2 * n + 4,
  eptOnEpt: (n: number) => n + 3,
  pvmSwitches: (n: number) => 2 * n + 4,
} as const;

export const nestedFaults: Experiment = {
  title: "What does a fault cost whose tables are new as well?",
  points: [],

  read() {
    const newFrames = countNewFrames(engineNamed("ept@ept"));
    const rows = newLevels.map((n) => {
      const pvm = countGuestFault(engineNamed("pvm@ept"), n);
      const onEpt = newFrames.get(n);
      assert(onEpt !== undefined, `why: no frame with ${n} new levels`);
      return {
        newLevels: n,
        exitsShadowOnEpt: countGuestFault(engineNamed("kvm-6.12@ept"), n).exits,
        exitsEveryStoreTrapped: countGuestFault(engineNamed("shadow@ept"), n).exits,
        formulaShadowOnEpt: published.shadowOnEpt(n),
        exitsEptOnEpt: onEpt.exits,
        formulaEptOnEpt: published.eptOnEpt(n),
        // Each way out has its way back.
        switchesPvm: 2 * pvm.softwareExits,
        formulaPvm: published.pvmSwitches(n),
        exitsPvm: pvm.exits,
      };
    });
    const [one] = rows;
    assert(one !== undefined, "why: no fault counted");
    const list = (name: keyof (typeof rows)[number]) =>
      joined(
        rows.map((row) => say`${row[name]}`),
        ", ",
      );
    const steps = rows.slice(1).map((row, i) => {
      const before = rows[i];
      return before === undefined
        ? Number.NaN
        : row.exitsEveryStoreTrapped - before.exitsEveryStoreTrapped;
    });
    return {
      claim: say`A fault of L2's that stores one entry costs what PVM's formulas say: 2n + 4 exits of L0 for shadow on EPT, n + 3 for EPT on EPT, 2n + 4 switches and no exit under PVM. With more levels KVM's MMU stays at that: tables that are new to it are not watched yet, so of n stores the first traps. A hypervisor that traps every store has the formulas' slope.`,
      number: say`New levels 1 to 4: shadow on EPT ${list("exitsShadowOnEpt")} exits (formula ${list("formulaShadowOnEpt")}); shadow on EPT with every store trapped and mirrored, so without the second fault, ${list("exitsEveryStoreTrapped")}; EPT on EPT ${list("exitsEptOnEpt")} (formula ${list("formulaEptOnEpt")}); PVM ${list("switchesPvm")} switches (formula ${list("formulaPvm")}), ${list("exitsPvm")} exits.`,
      evidence: say`${nameOfTable}.csv, all ${rows.length} lines`,
      change: say`An L1 that shadows tables before anybody walks them pays two exits of L0 a level: the store's and VMRESUME's.`,
      checks: [
        {
          direction: "one new level costs what the formulas say",
          holds:
            one.exitsShadowOnEpt === one.formulaShadowOnEpt &&
            one.exitsEptOnEpt === one.formulaEptOnEpt &&
            one.switchesPvm === one.formulaPvm,
        },
        {
          direction: "no fault costs more than the formulas say",
          holds: rows.every(
            (row) =>
              row.exitsShadowOnEpt <= row.formulaShadowOnEpt &&
              row.exitsEptOnEpt <= row.formulaEptOnEpt &&
              row.switchesPvm <= row.formulaPvm,
          ),
        },
        {
          direction: "a hypervisor that traps every store has the formula's slope",
          holds: steps.every((step) => step === 2),
        },
        { direction: "L0 sees nothing under PVM", holds: rows.every((row) => row.exitsPvm === 0) },
      ],
      tables: [{ name: nameOfTable, rows }],
      figures: [],
    };
  },
};
