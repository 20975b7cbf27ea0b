import { expect, test } from "vitest";
import type { Gfn } from "../../machine/address.ts";
import { type Phase, replay, replayDecoded, type ReplayOptions } from "./replay.ts";
import { bareMetal, testMachine } from "./test-machine.ts";
import { TraceError } from "./trace-error.ts";
import { decodeVmmu, readVmmu } from "./vmmu.ts";

/** Identity map of the first 64 MiB: PML4 at 200000, PDPT 201000, PD 202000, 32 PTs from 203000 on. */
const image = `fill 200000 1 201063 0
fill 201000 1 202063 0
fill 202000 20 203063 1000
fill 203000 4000 63 1000
boot 200000
`;
const header1 = `# vmmu-trace 1\nmemory 4000000\n${image}`;
const header2 = `# vmmu-trace 2\nmemory 4000000\nvcpus 2\n${image}`;
const header3 = `# vmmu-trace 3\nmemory 4000000\ncr4 20080\n${image}`;

function run(text: string, options: ReplayOptions = { fetchEachOp: false }) {
  const source = decodeVmmu(Buffer.from(text), "t.trace");
  const machine = testMachine(source.header.vcpus);
  const hypervisor = bareMetal(machine);
  const phases: Phase[] = [];
  const onPhase = (phase: Phase) => {
    phases.push({ ...phase, accesses: machine.snapshot().ledger.accesses } as Phase);
  };
  const totals = replayDecoded({ machine, hypervisor, source, onPhase, options });
  return { machine, hypervisor, phases, totals, ledger: machine.snapshot().ledger };
}

test("fill writes entries that carry into the high half and run over frames", () => {
  const { hypervisor } = run(
    "# vmmu-trace 1\nmemory 4000000\nfill 5ff8 3 1fffffffe 80000001\nboot 200000\n",
  );
  const entry = (gfn: number, index: number) => [
    hypervisor.memory.readLow(gfn as Gfn, index) >>> 0,
    hypervisor.memory.readHigh(gfn as Gfn, index) >>> 0,
  ];
  expect(entry(5, 511)).toEqual([0xffff_fffe, 1]);
  expect(entry(6, 0)).toEqual([0x7fff_ffff, 2]);
  expect(entry(6, 1)).toEqual([0, 3]);
});

test("a table that the trace stores through the identity map translates later accesses", () => {
  const { machine, ledger } = run(`${header1}s 200008 400067
s 400000 401067
s 401000 402067
s 402000 1000067
r 8000000000
`);
  // Five stores and loads: each entry store is an access of its own.
  expect(ledger).toMatchObject({ accesses: 5, stores: 4, guestPageFaults: 0 });
  expect(machine.vcpus[0]?.mmu.lastPfn()).toBe(0x1000);
});

test("a fault abandons its op and the trace goes on", () => {
  const { ledger, totals } = run(`${header1}w 8000000000\nr 1000\n`);
  expect(ledger).toMatchObject({ accesses: 1, guestPageFaults: 1 });
  expect(totals.ops).toBe(2);
});

test("phases see what lies before them, and dirty pages reported since the last", () => {
  const { phases, totals, hypervisor } = run(`${header1}r 1000
w 2000
h dirty-log-on 1000000 3000000
h dirty-log-get
h dirty-log-get
p first
r 3000
h dirty-log-off
p second
`);
  expect(phases).toEqual([
    { name: "first", dirtyPages: 4, accesses: 2 },
    { name: "second", dirtyPages: 0, accesses: 3 },
  ]);
  expect(totals.dirtyPages).toBe(4);
  expect(hypervisor.events.map(({ kind }) => kind)).toEqual([
    "dirty-log-on",
    "dirty-log-get",
    "dirty-log-get",
    "dirty-log-off",
  ]);
});

test("ops go to the vCPU that `v` names, and entering it is an event once it runs", () => {
  const { machine, hypervisor } = run(`${header2}v 0
r 1000
v 1
v 0
r 1000
v 1
r 2000
r 3000
i 3000
`);
  expect(machine.vcpus.map((vcpu) => vcpu.snapshot().ledger.accesses)).toEqual([2, 2]);
  expect(machine.vcpus[1]?.ledger.invlpgs).toBe(1);
  expect(hypervisor.events).toEqual([{ kind: "vcpu-run", vcpu: 1 }]);
});

test("version 3 drives PCID, privilege, control registers, INVPCID and page copies", () => {
  const { ledger, machine } = run(`${header3}c 8000000000200005
c 200000
invpcid 1 5 0
cr0 0
cr4 80
c 8000000000200005
s 1000 123
y 2000 1000
user
r 3000
`);
  expect(ledger).toMatchObject({
    cr3Writes: 3,
    cr3WritesKept: 1,
    invpcids: 1,
    controlRegisterWrites: 2,
    // The user may not read a supervisor page.
    guestPageFaults: 1,
  });
  // Without CR4.PCIDE the low bits of CR3 are no PCID.
  expect(machine.vcpus[0]?.cr3).toEqual({ root: 0x200, pcid: 0, keep: false });
  expect(machine.memory.readLow(2 as never, 0)).toBe(0x123);
});

// Seen going on without a word.
test.each([
  ["cr4 80\nc 200005\ncr4 20080\n", 'line 11: op "cr4 20080", allowed: PCIDE set only while CR3'],
  // The low bits of CR3 stay where they are while PCIDE is clear.
  ["c 200007\ncr4 80\ncr4 20080\n", "while CR3[11:0] is 0, and it is 7 (#GP on silicon)"],
  ["cr4 80\ninvpcid 1 5 0\n", 'line 10: op "invpcid 1 5 0", allowed: PCID 0 while CR4.PCIDE'],
])("what silicon answers with #GP is refused with its line: %j", (ops, message) => {
  expect(() => run(`${header3}${ops}`)).toThrow(TraceError);
  expect(() => run(`${header3}${ops}`)).toThrow(message);
});

test("PCIDE is set with PCID 0 loaded, and INVPCID of everything needs none", () => {
  const ops = "c 200000\ncr4 80\ninvpcid 2 5 0\ninvpcid 0 0 1000\nc 200005\nc 200000\ncr4 20080\n";
  expect(run(`${header3}${ops}`).ledger).toMatchObject({ invpcids: 2, controlRegisterWrites: 2 });
});

test("a boot CR3 has no PCID while CR4.PCIDE is clear", () => {
  const { machine } = run("# vmmu-trace 3\nmemory 4000000\ncr4 80\nboot 200005\n");
  expect(machine.vcpus[0]?.cr3.pcid).toBe(0);
});

test("with fetchEachOp each op fetches its code page, and an x line for it stands for that fetch", () => {
  const { ledger } = run(`${header2}x 10000\nr 1000\ni 1000\nx 20000\n`, { fetchEachOp: true });
  expect(ledger).toMatchObject({ fetches: 5, accesses: 6 });
});

test("with fetchEachOp an access that exited fetches again before it is repeated", () => {
  const source = decodeVmmu(Buffer.from(`${header2}r 1000\n`), "t.trace");
  const machine = testMachine(2);
  const bare = bareMetal(machine, { exitOnPageFault: true });
  // The data page is not mapped at first.
  const order: number[] = [];
  const hypervisor = {
    ...bare,
    boot: (...args: Parameters<typeof bare.boot>) => {
      bare.memory.write(0x203 as Gfn, 1, 0, 0);
      bare.boot(...args);
    },
    exit: (...[exit]: Parameters<typeof bare.exit>) => {
      if (exit.reason !== "page-fault") return "emulated" as const;
      order.push(exit.vpn);
      // Answering the data fault takes the code page away, once; the fetch brings it back.
      const isData = exit.vpn === 1;
      bare.memory.write(0x203 as Gfn, 0x10, isData ? 0 : 0x10063, 0);
      bare.memory.write(0x203 as Gfn, 1, 0x1063, 0);
      return "resume" as const;
    },
  };
  replayDecoded({
    machine,
    hypervisor,
    source,
    onPhase: () => undefined,
    options: { fetchEachOp: true },
  });
  expect(order).toEqual([1, 0x10]);
  expect(machine.snapshot().ledger).toMatchObject({ accesses: 3, fetches: 2 });
});

test("tables that lead outside memory name the line, behind any number of plain accesses", () => {
  const far = `s 203008 80000000063\n`;
  expect(() => run(`${header1}r 2000\n${far}r 2000\nr 3000\nr 1008\ni 0\n`)).toThrow(
    't.trace: line 12: access "GVA 1000 -> GPA 80000000000", allowed: GPAs below 4000000',
  );
});

// Seen printed without the sign: "GVA 800000000000".
test("an address of the kernel half is printed as the trace has it", () => {
  const top = "s 200800 80000000063\nr ffff800000000000\n";
  expect(() => run(`${header1}${top}`)).toThrow('access "GVA ffff800000000000 -> GPA 80000000000"');
});

test("a streamed replay counts what a decoded one counts", async () => {
  const text = `${header1}${"r 1000\nw 2000\ns 3000 1\n".repeat(20_000)}p end\n`;
  const machine = testMachine();
  const bytes = async function* () {
    await Promise.resolve();
    for (let at = 0; at < text.length; at += 10_007) yield Buffer.from(text.slice(at, at + 10_007));
  };
  const totals = await replay({
    machine,
    hypervisor: bareMetal(machine),
    source: await readVmmu(bytes(), "t.trace"),
    onPhase: () => undefined,
    options: { fetchEachOp: false },
  });
  const whole = run(text);
  expect(totals).toEqual(whole.totals);
  expect(machine.snapshot().ledger).toEqual(whole.ledger);
});
