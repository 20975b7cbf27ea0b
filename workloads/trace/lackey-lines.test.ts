import { expect, test } from "vitest";
import type { Guest } from "../../guest/guest.ts";
import { bootKernel } from "../../guest/kernel.ts";
import { kernelDefaults } from "../../guest/options.ts";
import { isLackeyLine } from "./lackey-lines.ts";
import { type LackeyTotals, replayLackey } from "./lackey-replay.ts";
import { LackeyParser } from "./lackey.ts";
import { bareMetal, testMachine } from "./test-machine.ts";
import { accessesOf, callsOf, recorder } from "./test-recorder.ts";

function notesOf(text: string): string[] {
  const parser = new LackeyParser("t.lackey");
  parser.push(Buffer.from(text));
  parser.end();
  return parser.notes;
}

const records = `I  0493d350,6
 L 1fff000778,8
 S 04a1fffe,4
 M 04210ff8,16
`;

// Seen refused by the old parser, as all variants below were.
test("line ends, blanks and capitals that editors and course traces have change nothing", () => {
  const plain = accessesOf(records);
  expect(plain).toHaveLength(8);
  expect(accessesOf(records.replaceAll("\n", "\r\n"))).toEqual(plain);
  expect(accessesOf(records.replaceAll("\n", " \n"))).toEqual(plain);
  expect(accessesOf(records.replaceAll("I  ", "I "))).toEqual(plain);
  expect(accessesOf(records.replaceAll(/^ +/gm, ""))).toEqual(plain);
  expect(accessesOf(records.replaceAll(" ", "\t"))).toEqual(plain);
  expect(accessesOf(records.replaceAll(/ (?=[0-9])/g, " 0x"))).toEqual(plain);
  expect(accessesOf(records.replaceAll(/[a-f]/g, (digit) => digit.toUpperCase()))).toEqual(plain);
  expect(accessesOf(records.trimEnd())).toEqual(plain);
});

test("a course trace with made-up addresses has memory at page 0, and says so", () => {
  const text = " L 10,1\n M 20,1\n L 22,1\nI 0400d7d4,8\n";
  expect(accessesOf(text)).toEqual([
    ["read", 0, 0x10],
    ["read", 0, 0x20],
    ["write", 0, 0x20],
    ["read", 0, 0x22],
    ["fetch", 0x400d, 0x7d4],
  ]);
  expect(
    callsOf(text)
      .filter(([name]) => name === "mapAt")[0]
      ?.slice(1, 3),
  ).toEqual([0, 512]);
  expect(notesOf(text)).toEqual(["page 0 has memory, for the log accesses it"]);
  // What the rest of its 2 MiB mapped before leaves page 0 only.
  const late = callsOf(" L 00108000,8\n L 10,1\n").filter(([name]) => name === "mapAt");
  expect(late.map((call) => call.slice(1, 3))).toEqual([
    [1, 511],
    [0, 1],
  ]);
});

test("the guest kernel runs accesses to page 0 and to the last page of the user half", async () => {
  const machine = testMachine();
  const guest = bootKernel({
    vcpu: machine.vcpus[0]!,
    hypervisor: bareMetal(machine),
    options: kernelDefaults,
    onMeasure: () => undefined,
  });
  const text = " L 10,1\n S 7ffffffffff8,8\n L 7ffd6f0a1b58,8\nI  555555554000,4\n";
  expect((await replayed(text, guest)).accesses).toBe(4);
});

test("what the program printed is skipped and counted, with a record behind it read", () => {
  const text = `total 0
I  0493d350,6
prompt> I  0493d356,2
h\u00e9llo L 10
-rw-r--r-- 1 root root 12 Nov 27 12:18 a,b
total 0SYSCALL[9,1](11) sys_munmap ( 0x493d000, 4096 )[sync] --> Success(0x0)
I add 5 to it
 S
`;
  expect(callsOf(text).map(([name]) => name)).toEqual([
    "compute",
    "mapAt",
    "fetch",
    "fetch",
    "compute",
    "unmap",
    "compute",
  ]);
  expect(notesOf(text)).toEqual(["7 lines of the program's own output skipped"]);
  expect(notesOf("a\n L 1fff000778,8\n")).toEqual(["1 line of the program's own output skipped"]);
  expect(notesOf(`==12== x\n${records}SB 0401ab70\n`)).toEqual([]);
});

test("output without a line end is held in bounded memory, and the record behind it is read", () => {
  const parser = new LackeyParser("t.lackey");
  for (let piece = 0; piece < 10; piece++) parser.push(Buffer.alloc(20_000, "x"));
  parser.push(Buffer.from("I  0493d350,6\nIn 0493d350,6\n"));
  parser.end();
  expect(parser.plan.accesses).toBe(1);
  expect(parser.lines).toBe(2);
  expect(parser.notes).toEqual(["2 lines of the program's own output skipped"]);
});

function replayed(text: string, guest: Guest = recorder().guest): Promise<LackeyTotals> {
  const bytes = async function* () {
    await Promise.resolve();
    yield Buffer.from(text);
  };
  return replayLackey({ guest, source: { file: "t.lackey", bytes: bytes() }, pageSize: "4k" });
}

// Seen running to a table of zeros.
test("a log without accesses is refused with the option that is missing", async () => {
  await expect(replayed("==12== Lackey, an example Valgrind tool\nhello\n")).rejects.toThrow(
    't.lackey: trace "2 lines without an access", allowed: what valgrind --tool=lackey --trace-mem=yes writes',
  );
});

test("programs that share a log are named, by remarks and system calls, with and without times", () => {
  const remarks = [
    "==12== Lackey, an example Valgrind tool",
    "--12-- Valgrind options:",
    "--12:1:aspacem  <<< SHOW_SEGMENTS",
    "==00:00:00:01.250 12== Command: ./a",
    "SYSCALL[12,1](39) sys_getpid ( )[sync] --> Success(0x1)",
  ].join("\n");
  expect(notesOf(`${remarks}\n${records}`)).toEqual([]);
  for (const other of ["**13** a client's words", remarks.replaceAll("12", "13")]) {
    expect(notesOf(`${remarks}\n${records}${other}\n`)).toEqual([
      "2 programs in one log (==12==, ==13==), played as one",
    ]);
  }
  const many = [1, 2, 3, 4, 5, 6].map((pid) => `==${pid}== x\n`).join("");
  expect(notesOf(many + records)).toEqual([
    "6 programs in one log (==1==, ==2==, ==3==, ==4==, ...), played as one",
  ]);
});

// As valgrind 3.19 writes it with -v. Seen as a plain system call by the old parser.
test("a system call that remarks interrupt has the result that follows", () => {
  const text = `SYSCALL[9,1](9) sys_mmap ( 0x483a000, 8192, 3, 50, 3, 8192 )--9-- Reading syms from x.so
--9--    object doesn't have a symbol table
 --> [pre-success] Success(0x483a000)
SYSCALL[9,1](334) unimplemented (by the kernel) syscall: 334! (ni_syscall)
SYSCALL[9,1](24) sys_sched_yield ( )
`;
  expect(
    callsOf(text).flatMap(([name, ...args]) =>
      name === "compute" ? [] : [[name, ...args.slice(0, 2)]],
    ),
  ).toEqual([["mapAt", 0x483a, 2], ["syscall"], ["syscall"]]);
});

test("the notes of a log stand beside the result", async () => {
  const { label } = await replayed(`total 0\n${records}==1== x\n==2== y\n`);
  expect(label).toBe(
    "user-only: its update rate is a lower bound; 1 line of the program's own output skipped; 2 programs in one log (==1==, ==2==), played as one",
  );
});

test.each([
  [" L 04é0,8", 'line 1: line " L 04é0,8", allowed: I, L, S or M'],
  ["I  0401,x\r", 'line "I  0401,x", allowed: I, L'],
  [" L 0401ab70,0", 'line " L 0401ab70,0", allowed: sizes of 1 to 65536 bytes'],
  ["I 0401ab70", 'line "I 0401ab70"'],
  ["==shadewalk== measured", 'line "==shadewalk== measured"'],
  [" L ffffffffff600000,8", "allowed: addresses below 0x800000000000"],
  [" L 10000000000000008,8", "allowed: addresses below 0x800000000000"],
])("%j is refused as it is, with what is wrong about it", (text, message) => {
  expect(() => callsOf(`${text}\n`)).toThrow(message);
});

test("a log is known by any line that valgrind writes, and by no sentence", () => {
  for (const line of [
    "--1-- x",
    "**1** x",
    "==00:00:00:01.250 12== Command: ./a",
    "I 0400d7d4,8",
    "L 10,1",
    "M 0x20,1",
    " S 18,1",
    "SYSCALL[1,1](12) sys_brk ( 0x0 )",
  ]) {
    expect(isLackeyLine(line), line).toBe(true);
  }
  for (const line of ["total 0", "I add 5", "-- 1", "==x==", "0x7f3a: R 0x7ffe12", "R 0x7f"]) {
    expect(isLackeyLine(line), line).toBe(false);
  }
});
