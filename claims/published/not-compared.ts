/**
 * Published rows that no claim compares, with the reason: what machine, guest or schemes cannot express.
 *
 * `AA06-004..012` is a range of one source. Every row read in its source is a price, a claim or here.
 */
import { expandRows } from "./row-ranges.ts";

interface Reason {
  readonly rows: string;
  readonly reason: string;
}

const reasons: readonly Reason[] = [
  {
    rows: "AA06-002 AA06-005 AA06-008 AA06-011 AA06-014 AA06-017 AA06-020 AA06-023 AA06-026 AA06-029 AA06-032 AA06-035 AA06-038 AA06-042",
    reason: "no binary translation: a software VMM rewrites guest code",
  },
  {
    rows: "AA06-004 AA06-006..007 AA06-009..010 AA06-012 AA06-016 AA06-018",
    reason: "I/O, CR8, calls and divide errors are not modelled: only what translation feels is",
  },
  { rows: "AA06-022 AA06-025", reason: "native cost of one store, a few cycles: below the model" },
  { rows: "AA06-049..051", reason: "control-block accesses are a price per exit, not events" },
  {
    rows: "AA06-052..055",
    reason: "Windows and guest paging under memory exhaustion: no such guest",
  },
  { rows: "EV10-001", reason: "sum of two rows that feed the p4-vtx prices" },
  { rows: "EV10-002..003", reason: "an order of magnitude and a list, not a measurement" },
  { rows: "EV10-004", reason: "a slowdown of single instructions: prices" },
  {
    rows: "SX11-007..010",
    reason: "I/O exits and the IPC after an exit: neither devices nor cycle-by-cycle execution",
  },
  { rows: "BH08-005..006", reason: "a property of entries or a rule, not a figure of a run" },
  {
    rows: "VM09-001..003 VM08-001..002",
    reason: "the benchmarks behind the largest gain are not named in the abstract",
  },
  {
    rows: "AG16-009",
    reason:
      "a root that is a guest's frame: the hypervisor loads its host frame, 20 references instead of 24",
  },
  {
    rows: "AG16-079..086 AG16-166",
    reason:
      "absolute overheads of programs that ours only resemble; rankings and means are compared",
  },
  {
    rows: "AG16-114 AG16-119 AG16-122 AG16-130 AG16-154",
    reason:
      "bars of a figure that stand as close as it can be read (reading-error.ts): they rank nothing",
  },
  { rows: "AG16-162 AG16-167 AG16-169", reason: "a summary of other rows, a rule and a size" },
  { rows: "NE22-001..007", reason: "no hashed nested tables" },
  { rows: "AG16-171..175", reason: "geometry of a processor that is no preset" },
  { rows: "EM14-002..003", reason: "no direct segments" },
  {
    rows: "SH11-001..002 NW10-001..002",
    reason: "per-benchmark tables are not readable: no workload to run",
  },
  {
    rows: "XG11-008 XN08-001 XN08-004",
    reason: "32-bit hosts and guests: the machine has 4 and 5 levels only",
  },
  { rows: "XN08-005", reason: "PAE: the machine has 4 and 5 levels only" },
  {
    rows: "XG11-001..007",
    reason:
      "a build on several processors under one MMU lock: a real make takes 47.5 us of CPU a fault, so shadow's 1.84 is 100,000 cycles a fault, which no exit costs; one vCPU here waits for no lock",
  },
  { rows: "XG11-009", reason: "network traffic: no devices" },
  {
    rows: "BG07-001",
    reason: "reserved-bit entries that keep true faults in the guest: no such engine",
  },
  {
    rows: "DM24-001..005 DM24-080..087",
    reason: "DMT, ECPT, flattened, agile and prefetched walks are no engines",
  },
  {
    rows: "DM24-008..011 DM24-013..016 DM24-018..021 DM24-023..026 DM24-028..031 DM24-033..043",
    reason: "cycles of a walk are not kept per step; their sum is compared",
  },
  {
    rows: "DM24-046 DM24-049 DM24-052 DM24-055 DM24-058 DM24-061 DM24-064 DM24-067 DM24-071",
    reason: "nested virtualization is not modelled",
  },
  {
    rows: "DM24-044..045 DM24-047..048 DM24-056..057 DM24-059..060 DM24-062..063 DM24-065..066 DM24-068..070 DM24-072..073 AS19-001 AS19-007",
    reason:
      "155 GB codes without a workload of the kind, and means over them; GUPS and BTree are compared",
  },
  { rows: "DM24-076", reason: "code TLB of a simulated machine: the preset follows the manual" },
  { rows: "NE22-008..011 GE-003 PO17-001", reason: "geometry of machines that are no preset" },
  { rows: "AS19-003 AS19-005 AS19-009", reason: "an SMT co-runner: one thread per core here" },
  { rows: "AS19-011", reason: "no prefetch of leaf entries" },
  {
    rows: "PM21-001..008",
    reason:
      "fragmentation by a co-runner: one program runs in the guest, and there is no PTEMagnet",
  },
  { rows: "FP22-003..004", reason: "no flattened tables" },
  { rows: "VX21-001..002", reason: "beside a loaded link between nodes, which has no price here" },
  {
    rows: "VX21-010..012",
    reason: "uniform reads and btree would stand for these programs once more",
  },
  {
    rows: "TU10-003..004 TU10-007..009 TU10-011..012 TU10-015 TU10-023 PV23-005",
    reason: "nested virtualization is modelled without devices and direct access to the VMCS",
  },
  { rows: "TU10-005..006", reason: "a Java benchmark's score: no such workload" },
  {
    rows: "TU10-016..022 PV23-008..011 EX-002 SJ21-011..016",
    reason: "latencies of one machine: prices, which other rows set",
  },
  {
    rows: "PV23-020",
    reason:
      "opening a file takes 25 us under EPT, where stat, the same path without a file, takes 0.7: the time of a file system behind a device, of which shadow's 7.6 us are 30 %",
  },
  {
    rows: "PV23-023 PV23-034",
    reason: "how many system calls the test makes, and which it subtracts, is not said",
  },
  {
    rows: "PV23-030",
    reason: "the size of the mapped file is not in the paper, and any ratio can be had by it",
  },
  {
    rows: "PV23-027..029 PV23-036..038",
    reason: "many processes on many processors: no lock contention, one vCPU runs the guest",
  },
  {
    rows: "SJ21-002..006 SJ21-018..022",
    reason:
      "a boot's mix of exits follows from its system calls per fault, which nobody counted: fitted it is met, and that is no test; the recordings of a real Linux with KPTI, which are no boots, have 1.2 (forks), 1.4 (a shell) and 94 (pipes) exits for CR3 per exit for #PF, four boots 5.1 to 6.8; a fifth, whose kernel hardly touches CR3, has 0.06 and 0.09 INVLPG, a recorded shell without KPTI 0.04 and 0.07",
  },
  {
    rows: "SJ21-001 SJ21-007..010 SJ21-017",
    reason: "totals with CPUID, I/O and VMM cycles of a nested host: no devices",
  },
  {
    rows: "KV-004..006 XN08-008..009 XN08-012 PL15-004",
    reason: "a rule, covered by the engines' tests",
  },
  {
    rows: "PL15-005..006 BI20-001..002 OO22-001",
    reason: "change of a benchmark or migration that is not given",
  },
  {
    rows: "DL-001..002",
    reason: "wall-clock time of migration on many vCPUs: no lock is modelled there",
  },
  {
    rows: "EX-003..004",
    reason: "CR4 toggles and nested VPID: dropping roots on CR4 writes is no switch of an engine",
  },
  {
    rows: "KM26-001",
    reason:
      "nested Windows with its other exits; that MBEC takes away both of a mode change is measured",
  },
  { rows: "VI25-001", reason: "accuracy of another simulator" },
];

/** The reason by row, in the order of the reasons. */
export function notCompared(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { rows, reason } of reasons) {
    for (const id of expandRows(rows)) {
      if (found.has(id)) throw new Error(`published: ${id} has two reasons`);
      found.set(id, reason);
    }
  }
  return found;
}
