import { expect, test } from "vitest";
import { ConfigError } from "../input/config-error.ts";
import { parseCost, readCost } from "./cost-file.ts";
import { importPerf, type PerfImport } from "./perf-import.ts";
import { readPerfTable } from "./perf-table.ts";

const table = `# perf kvm stat report --event=vmexit


Analyze events for all VMs, all VCPUs:

             VM-EXIT    Samples  Samples%     Time%    Min Time    Max Time         Avg time

                 HLT     101128    75.33%    99.66%      0.43us 901000.66us    310.88us ( +-   8.46% )
       EXCEPTION_NMI      20000    10.50%     0.10%      1.32us     84.99us      2.00us ( +-   0.90% )
           CR_ACCESS      10000     6.14%     0.03%      0.33us     32.79us      1.20us ( +-   1.51% )
              INVLPG       1000     0.73%     0.01%      0.42us    137.68us      2.05us
               CPUID        500     0.10%     0.01%      0.42us      7.68us      0.50us ( +-   0.43% )

Total Samples:134241, Total events handled time:31544321.04us.
`;

const counters = `# grep -H . /sys/kernel/debug/kvm/*
/sys/kernel/debug/kvm/mmu_pte_write:5000
/sys/kernel/debug/kvm/pf_fixed:12000
pf_guest 3000
insn_emulation   5000   12.5
`;

const request: PerfImport = {
  table: { name: "perf.txt", text: table },
  counters: null,
  megahertz: 2500,
  base: "skylake-sp",
};

function imported(change: Partial<PerfImport> = {}) {
  return parseCost(importPerf({ ...request, ...change }).yaml, "mine.yaml");
}

test("the rows of a saved table are read, with and without a spread", () => {
  expect(readPerfTable(request.table).slice(1)).toEqual([
    { line: 9, reason: "EXCEPTION_NMI", samples: 20000, averageMicroseconds: 2 },
    { line: 10, reason: "CR_ACCESS", samples: 10000, averageMicroseconds: 1.2 },
    { line: 11, reason: "INVLPG", samples: 1000, averageMicroseconds: 2.05 },
    { line: 12, reason: "CPUID", samples: 500, averageMicroseconds: 0.5 },
  ]);
});

test("AMD's reasons are understood, with the space in PF excp", () => {
  const text = table.replace("EXCEPTION_NMI", "      PF excp").replace("CR_ACCESS", "write_cr3");
  const amd = imported({ table: { name: "amd.txt", text } });
  expect(amd.exits.PageFault.handler).toBe(5000);
  expect(amd.exits.Cr3Write.handler).toBe(3000);
  expect(amd.exits.Cr4Write.handler).toBe(readCost("skylake-sp").exits.Cr4Write.handler);
});

// Lines as perf prints them: Linux 3.7, and one interval of `live`. Seen refused, and seen read as one table only.
test.each([
  [
    "without Min Time and Max Time",
    `Analyze events for all VCPUs:

             VM-EXIT    Samples  Samples%     Time%         Avg time

       EPT_VIOLATION        100    75.33%    99.66%      2.50us ( +-   8.46% )

Total Samples:100, Total events handled time:250.00us.
`,
  ],
  [
    "of a live view, among warnings",
    `\u001b[H\u001b[2J12:10:15.023456

Analyze events for pid(s) 7, VCPU 0:

             VM-EXIT    Samples  Samples%     Time%    Min Time    Max Time         Avg time

unknown kvm exit code:131072 on VMX
             UNKNOWN         10     0.33%     0.66%      0.43us     901.66us    310.88us ( +-    nan% )
Warning:
Processed 1234 events and lost 3 chunks!
Processed 1200 samples and lost 3.41%!
       EPT_VIOLATION        100    75.33%     -nan%      0.43us     901.66us      2.50us ( +-   8.46% )

Total Samples:110, Total events handled time:31544321.04us.

Lost events: 5
7 VM 123, vcpu 0: MSR_WRITE event took 123usec
`,
  ],
  [
    "as the browser of perf 6.4 saves it, in nanoseconds",
    `Event name                Samples   Sample%    Time (ns)     Time%   Max Time (ns)   Min Time (ns)  Mean Time (ns)
EPT_VIOLATION                 100    75.33%       250000    99.66%          901660             430            2500
`,
  ],
  [
    "quoted in a letter",
    `>              VM-EXIT    Samples  Samples%     Time%    Min Time    Max Time         Avg time
>
>        EPT_VIOLATION        100    75.33%    99.66%      0.43us     901.66us      2.50us
`,
  ],
])("a table %s is read", (_, text) => {
  const rows = readPerfTable({ name: "perf.txt", text: text.replaceAll("\n", "\r\n") });
  expect(rows.filter(({ reason }) => reason !== "UNKNOWN")).toMatchObject([
    { reason: "EPT_VIOLATION", samples: 100, averageMicroseconds: 2.5 },
  ]);
  expect(imported({ table: { name: "perf.txt", text } }).exits.EptViolation.handler).toBe(6250);
});

/** A table of one row. */
function one(samples: number, mean: string, reason = "EXCEPTION_NMI", title = "VM-EXIT"): string {
  return `             ${title}    Samples  Samples%     Time%    Min Time    Max Time         Avg time

${reason.padStart(20)} ${String(samples).padStart(10)}    99.00%    99.00%      1.00us       9.00us  ${mean}us

Total Samples:${samples}, Total events handled time:1.00us.
`;
}

// Seen failing: the first table alone gave 4000.
test("several tables are one run: means are weighted by samples, and it is said", () => {
  const text = one(100, "2.00") + one(300, "6.00") + one(7, "9.00", "0xfee0:W", "MMIO Access");
  const request2 = { ...request, megahertz: 2000, table: { name: "perf.txt", text } };
  const { yaml, notes, ignored } = importPerf(request2);
  expect(parseCost(yaml, "mine.yaml").exits.PageFault.handler).toBe(10_000);
  expect(yaml).toContain(
    "mean of 400 exits EXCEPTION_NMI, 2 us, 6 us, weighted by 100, 300 samples",
  );
  expect(notes).toEqual([
    "perf.txt: 2 tables (lines 1, 6) taken together, means weighted by samples",
  ]);
  expect(ignored).toEqual([]);
  expect(importPerf(request).notes).toEqual([]);
});

test("with debugfs counters, too, several tables are one run", () => {
  const debugfs = { name: "kvm.txt", text: "pf_fixed 100\n" };
  const handler = (text: string) =>
    imported({ counters: debugfs, table: { name: "perf.txt", text } }).exits.PageFault.handler;
  expect(handler(one(100, "2.00") + one(300, "6.00"))).toBe(handler(one(400, "5.00")));
});

test("names of AMD that stand for one cause are weighted together", () => {
  const text =
    one(100, "1.00", "write_cr0") +
    one(100, "2.00", "write_cr0_trap") +
    one(200, "3.00", "cr0_write_trap") +
    one(0, "9.00", "cr0_sel_write");
  const cost = imported({ table: { name: "amd.txt", text: text + one(50, "4.00", "npf") } });
  expect(cost.exits.Cr0Write.handler).toBe(2.25 * 2500);
  expect(cost.exits.EptViolation.handler).toBe(4 * 2500);
  const idle = ["vmmcall", "hypercall", "msr", "hlt", "avic_unaccelerated_"];
  const all = text + idle.map((name) => one(1, "1.00", name)).join("");
  expect(importPerf({ ...request, table: { name: "amd.txt", text: all } }).ignored).toEqual(idle);
});

test("each mean becomes its reason's handler, and events inside it cost nothing more", () => {
  const base = readCost("skylake-sp");
  const cost = imported();
  expect(cost.exits.PageFault).toEqual({ ...base.exits.PageFault, handler: 5000 });
  for (const cause of ["Cr3Write", "Cr3Read", "Cr0Write", "Cr4Write"] as const) {
    expect(cost.exits[cause].handler).toBe(3000);
  }
  expect(cost.exits.Invlpg.handler).toBe(5125);
  expect(cost.exits.Cpuid.handler).toBe(1250);
  expect(cost.exits.EptViolation).toEqual(base.exits.EptViolation);
  expect(cost.events.hypervisor.entryFilled).toBe(0);
  expect(cost.events.host.fault).toBe(0);
  expect(cost.events.hypervisor.dirtyEntryScanned).toBe(base.events.hypervisor.dirtyEntryScanned);
  expect(cost.events.guest).toEqual(base.events.guest);
});

// Seen failing with `predicted / total` for the scale.
test("with debugfs counters the memory exits of that run add up to their measured time", () => {
  const cost = imported({ counters: { name: "kvm.txt", text: counters } });
  const { hypervisor } = cost.events;
  const priced =
    20_000 * cost.exits.PageFault.handler +
    10_000 * cost.exits.Cr3Write.handler +
    1000 * cost.exits.Invlpg.handler +
    5000 * (hypervisor.pteWriteMirrored + hypervisor.storeEmulated) +
    12_000 * hypervisor.faultFixed +
    3000 * hypervisor.faultReflected;
  const measured = 2500 * (20_000 * 2 + 10_000 * 1.2 + 1000 * 2.05);
  // Prices are whole cycles.
  expect(Math.abs(priced / measured - 1)).toBeLessThan(0.005);
  expect(cost.exits.Cpuid.handler).toBe(1250);
});

test("every number says where it comes from, and reasons without a price are named", () => {
  const { yaml, ignored } = importPerf(request);
  expect(ignored).toEqual(["HLT"]);
  expect(yaml).toContain("Measured by perf (perf.txt), the rest from skylake-sp");
  expect(yaml).toContain("mean of 20000 exits EXCEPTION_NMI, 2 us each");
  expect(yaml.match(/source: measured/g)?.length).toBe(7 + 22 + 4);
});

test.each([
  ["no table", "hello\n", /^perf\.txt: no table of `perf kvm stat report`/],
  ["no rows", table.slice(0, table.indexOf("   HLT")), /^perf\.txt:6: the table has no rows$/],
  [
    "a broken row",
    table.replace("20000", "many"),
    /^perf\.txt:9: "EXCEPTION_NMI +many .*": must be /,
  ],
  [
    "a row cut short",
    table.slice(0, table.indexOf("1.32us")),
    /^perf\.txt:9: "EXCEPTION_NMI +20000 .*": must be a reason/,
  ],
  ["an empty file", " \n", /^perf\.txt: empty, for perf writes .* standard error: .* 2> perf\.txt/],
  [
    "a recording",
    "PERFILE2h\u0000",
    /^perf\.txt: is perf's recording, not its table; save it with /,
  ],
  [
    "a table of devices",
    table.replace("VM-EXIT", "MMIO Access"),
    /: its table is of MMIO Access; /,
  ],
  [
    "a table without means",
    table.replace("Avg time", ""),
    /^perf\.txt:6: "Samples .*": must name Samples and Avg time among its columns$/,
  ],
  [
    "nothing of use",
    table.replaceAll(/EXCEPTION_NMI|CR_ACCESS|INVLPG|CPUID/g, "HLT"),
    /^perf\.txt: no exit that costs here; known: EXCEPTION_NMI, /,
  ],
])("%s is refused in one line", (_, text, message) => {
  const attempt = () => importPerf({ ...request, table: { name: "perf.txt", text } });
  expect(attempt).toThrow(ConfigError);
  expect(attempt).toThrow(message);
});
