/**
 * Exits per guest operation, simulated here and measured on Linux.
 */
import { engines } from "../../../engines/index.ts";
import { say } from "../../../bench/results/answer.ts";
import type { Experiment } from "../experiment.ts";
import { six } from "../../../bench/results/figures.ts";
import { exitsPerOperation, operations as table } from "../operations-table.ts";

/** Once per page table of 512 entries, and half as much again where the fit has an intercept. */
const tolerance = 0.01;

export const operations: Experiment = {
  title: "How many exits does one guest operation cost?",
  points: [],

  read() {
    const rows = table.map((operation) => {
      const [kvm61, kvm612, tdp] = operation.measured;
      const of = (engine: keyof typeof engines) =>
        six(exitsPerOperation(operation, engines[engine]));
      return {
        operation: operation.name,
        "kvm-6.1": of("kvm-6.1"),
        "kvm-6.12": of("kvm-6.12"),
        "kvm-tdp": of("kvm-tdp"),
        linux61: kvm61,
        linux612: kvm612,
        linuxTdp: tdp,
      };
    });
    const pairs = rows.flatMap((row) => [
      [row["kvm-6.1"], row.linux61] as const,
      [row["kvm-6.12"], row.linux612] as const,
      [row["kvm-tdp"], row.linuxTdp] as const,
    ]);
    const equal = pairs.filter(([own, measured]) => Math.abs(own - measured) <= tolerance);
    const freeUnderTdp = rows.filter((row) => row["kvm-tdp"] === 0);
    const named = (name: string) => rows.find(({ operation }) => operation === name);
    const [unflushed, flushed, reload] = [
      named("PTE store: map, no flush"),
      named("PTE store, INVLPG, touch"),
      named("one PTE: new frame, CR3 load, touch"),
    ];
    return {
      claim: say`A PTE store alone is nearly free under KVM's shadow MMU; the flush, fault or CR3 load that follows it exits. Under nested paging none of them does.`,
      number: say`Exits per operation, Linux 6.1/6.12 shadow: a PTE store ${unflushed?.["kvm-6.1"] ?? Number.NaN}/${unflushed?.["kvm-6.12"] ?? Number.NaN}, with INVLPG and touch ${flushed?.["kvm-6.1"] ?? Number.NaN}/${flushed?.["kvm-6.12"] ?? Number.NaN}, with CR3 load and touch ${reload?.["kvm-6.1"] ?? Number.NaN}/${reload?.["kvm-6.12"] ?? Number.NaN}. Nested paging takes none in ${freeUnderTdp.length} of ${rows.length} operations. ${equal.length} of ${pairs.length} figures agree with those measured on Linux.`,
      evidence: say`operations.csv, all ${rows.length} lines; measured counts in results/groundtruth`,
      change: say`Another hypervisor's rules: Xen keeps three tables out of sync per vCPU, trap-on-write exits at every store.`,
      checks: [
        { direction: "every figure agrees with Linux", holds: equal.length === pairs.length },
        {
          direction: "a PTE store without a flush is nearly free",
          holds: (unflushed?.["kvm-6.12"] ?? 1) < 0.01,
        },
      ],
      tables: [{ name: "operations", rows }],
      figures: [],
    };
  },
};
