import fc from "fast-check";
import { expect, test } from "vitest";
import { bootKernel } from "../../guest/kernel.ts";
import { kernelDefaults } from "../../guest/options.ts";
import { decodeLackey, lackeyLabel, playChunk, replayLackey } from "./lackey-replay.ts";
import { LackeyParser } from "./lackey.ts";
import { bareMetal, testMachine } from "./test-machine.ts";
import { accessesOf, allAccesses, type Call, callsOf, recorder } from "./test-recorder.ts";

const demand = {
  fill: "demand",
  pages: "4k",
  writable: true,
  executable: true,
  onForbidden: "unprotect",
};

test("the four kinds of record become accesses, a modify a load and then a store", () => {
  const text = `==1== Lackey, an example Valgrind tool
I  0401ab70,3
 L 1fff000778,8
 S 1fff000770,8
 M 0421c7cc,4
`;
  expect(accessesOf(text)).toEqual([
    ["fetch", 0x401a, 0xb70],
    ["read", 0x1f_ff00_0, 0x778],
    ["write", 0x1f_ff00_0, 0x770],
    ["read", 0x421c, 0x7cc],
    ["write", 0x421c, 0x7cc],
  ]);
});

test("an access that crosses a page touches both, also where the low half of the address wraps", () => {
  expect(accessesOf("I  00001ffe,4\n M 00002ffc,8\n S fffffffc,8\n L 00003000,4096\n")).toEqual([
    ["fetch", 1, 0xffe],
    ["fetch", 2, 0],
    ["read", 2, 0xffc],
    ["read", 3, 0],
    ["write", 2, 0xffc],
    ["write", 3, 0],
    ["write", 0xf_ffff, 0xffc],
    ["write", 0x10_0000, 0],
    ["read", 3, 0],
  ]);
});

test("the first touch of unknown memory maps what is unknown of its 2 MiB, text as a file", () => {
  const text = `SYSCALL[9,1](9) sys_mmap ( 0x0, 8192, 1, 34, 4294967295, 0 ) --> [pre-success] Success(0x402000)
 L 00402000,8
 L 00401000,8
I  00600000,4
 S 00600008,4
`;
  expect(callsOf(text)).toEqual([
    ["compute", 0],
    ["mapAt", 0x402, 2, { ...demand, writable: false }],
    ["read", 0x402, 0],
    ["compute", 0],
    ["mapAt", 0x400, 2, demand],
    ["compute", 0],
    ["mapAt", 0x404, 0x1fc, demand],
    ["read", 0x401, 0],
    ["compute", 0],
    ["mapAt", 0x600, 0x200, { ...demand, file: 1 }],
    ["fetch", 0x600, 0],
    ["write", 0x600, 8],
    ["compute", 1],
  ]);
});

test("system calls that change mappings are replayed, others enter the kernel, failures change nothing", () => {
  const text = `SYSCALL[9,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035800)
SYSCALL[9,1](12) sys_brk ( 0x4037800 ) --> [pre-success] Success(0x4037800)
SYSCALL[9,1](12) sys_brk ( 0x4035800 ) --> [pre-success] Success(0x4035800)
SYSCALL[9,1](9) sys_mmap ( 0x0, 16400, 5, 2050, 4, 0 ) --> [pre-success] Success(0x4837000)
SYSCALL[9,1](9) sys_mmap ( 0x0, 4096, 0, 34, 4294967295, 0 ) --> [pre-success] Success(0x5000000)
SYSCALL[9,1](9) sys_mmap ( 0x0, 4096, 3, 34, 4294967295, 0 ) --> [pre-fail] Failure(0xc)
SYSCALL[9,1](10) sys_mprotect ( 0x4837000, 8192, 1 )[sync] --> Success(0x0)
SYSCALL[9,1](11) sys_munmap ( 0x4837000, 5 )[sync] --> Success(0x0)
SYSCALL[9,1](25) sys_mremap ( 0x6000000, 8192, 16384, 0x1 ) --> [pre-success] Success(0x6000000)
SYSCALL[9,1](25) sys_mremap ( 0x6000000, 8192, 16384, 0x1 ) --> [pre-success] Success(0x7000000)
SYSCALL[9,1](334) unimplemented (by the kernel) syscall: 334! (ni_syscall)
 --> [pre-fail] Failure(0x26)
SYSCALL[9,1](  0) sys_read ( 4, 0x1ffeffee28(a, b), 832 ) --> [async] ...
SYSCALL[9,1](  0) ... [async] --> Success(0x340)
SYSCALL[9,1](231) exit_group( 0 ) --> [pre-success] Success(0x0)
`;
  expect(callsOf(text).filter(([name]) => name !== "compute")).toEqual([
    ["syscall"],
    ["mapAt", 0x4036, 2, demand],
    ["unmap", 0x4036, 2],
    ["mapAt", 0x4837, 5, { ...demand, writable: false, file: 1 }],
    ["mapAt", 0x5000, 1, { ...demand, writable: false }],
    ["protect", 0x5000, 1, "none"],
    ["syscall"],
    ["protect", 0x4837, 2, "read"],
    ["unmap", 0x4837, 1],
    ["mapAt", 0x6002, 2, demand],
    ["unmap", 0x6000, 2],
    ["mapAt", 0x7000, 4, demand],
    ["syscall"],
    ["syscall"],
    ["syscall"],
  ]);
});

test("page 0 stays unmapped where a first touch maps the rest of its 2 MiB", () => {
  expect(callsOf(" L 00108000,8\n")).toContainEqual(["mapAt", 1, 0x1ff, demand]);
});

test("memory that a system call unmapped is mapped again by its next touch", () => {
  const text = ` S 00400000,8
SYSCALL[9,1](11) sys_munmap ( 0x400000, 4096 )[sync] --> Success(0x0)
 S 00400000,8
`;
  expect(callsOf(text).filter(([name]) => name === "mapAt")).toEqual([
    ["mapAt", 0x400, 0x200, demand],
    ["mapAt", 0x400, 1, demand],
  ]);
});

const line = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("I  ", " L ", " S ", " M "),
      fc.oneof(
        fc.bigInt({ min: 0x1000n, max: 0x7fff_ffff_e000n }),
        fc.bigInt({ min: 0x1000n, max: 0x4000n }),
      ),
      fc.integer({ min: 1, max: 64 }),
    )
    .map(([kind, address, size]) => `${kind}${address.toString(16).padStart(8, "0")},${size}`),
  fc.constantFrom(
    "==12== a remark",
    "SYSCALL[1,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000)",
    "SYSCALL[1,1](11) sys_munmap ( 0x2000, 8192 )[sync] --> Success(0x0)",
  ),
);

// Mutation seen failing: LackeyParser.push keeping `bytes.subarray(last + 1)`, which the next piece overwrites.
test("a log cut at any byte gives the same calls, even when the pieces share one buffer", () => {
  const logs = fc.array(line, { minLength: 1, maxLength: 40, size: "max" });
  fc.assert(
    fc.property(logs, fc.array(fc.nat(), { maxLength: 5, size: "max" }), (lines, cuts) => {
      const bytes = Buffer.from(lines.join("\n"));
      const ends = [...cuts.map((cut) => cut % bytes.length), bytes.length].sort((a, b) => a - b);
      const parser = new LackeyParser("t.lackey");
      const shared = Buffer.alloc(bytes.length);
      let start = 0;
      for (const end of ends) {
        shared.set(bytes.subarray(start, end));
        parser.push(shared.subarray(0, end - start));
        start = end;
      }
      parser.end();
      const { guest, calls } = recorder();
      for (const chunk of parser.take()) playChunk(guest, chunk, allAccesses);
      expect(calls).toEqual(callsOf(lines.join("\n")));
    }),
  );
});

/** What a reader of the manual would compute, line by line with exact integers. */
function naiveAccesses(lines: readonly string[]): Call[] {
  return lines.flatMap((text): Call[] => {
    const match = /^(I | [LSM]) {1,2}([0-9a-f]+),(\d+)$/.exec(text);
    if (match === null) return [];
    const [, kind = "", address = "", size = ""] = match;
    const names = { "I ": ["fetch"], " L": ["read"], " S": ["write"], " M": ["read", "write"] }[
      kind
    ];
    const first = BigInt(`0x${address}`);
    const last = (first + BigInt(size) - 1n) / 4096n;
    return (names ?? []).flatMap((name) => {
      const calls: Call[] = [[name, Number(first / 4096n), Number(first % 4096n)]];
      for (let page = first / 4096n + 1n; page <= last; page++) calls.push([name, Number(page), 0]);
      return calls;
    });
  });
}

// Mutation seen failing: lackey.ts forgetting the carry into the high half when a crossing access wraps.
test("accesses have exact pages up to the end of user memory", () => {
  const wraps = fc.constantFrom(" S fffffffd,8", " M 4fffffffe,8", "I  7ffffffffff0,15");
  fc.assert(
    fc.property(fc.array(fc.oneof(line, wraps), { maxLength: 60, size: "max" }), (lines) => {
      fc.pre(lines.length > 0);
      expect(accessesOf(lines.join("\n"))).toEqual(naiveAccesses(lines));
    }),
  );
});

test("a window's set-up comes before the measured region, a whole run is measured from its start", async () => {
  const replayed = async (text: string) => {
    const { guest, calls } = recorder();
    const bytes = async function* () {
      await Promise.resolve();
      yield Buffer.from(text);
    };
    const source = { file: "t.lackey", bytes: bytes() };
    const totals = await replayLackey({ guest, source, pageSize: "4k" });
    return { names: calls.map(([name]) => name).filter((name) => name !== "compute"), totals };
  };
  const window = await replayed(
    "==shadewalk== set-up\n S 00400000,8\n==shadewalk== measure\n L 00400000,8\n",
  );
  expect(window.names).toEqual(["mapAt", "write", "measure", "read"]);
  expect(window.totals).toEqual({
    accesses: 2,
    systemCalls: 0,
    label: "user-only: its update rate is a lower bound",
  });
  const whole = await replayed(
    "SYSCALL[1,1](39) sys_getpid ( )[sync] --> Success(0x1)\n S 00400000,8\n",
  );
  expect(whole.names).toEqual(["measure", "syscall", "mapAt", "write"]);
  expect(whole.totals.label).toBe(lackeyLabel(1));
});

test("the guest kernel runs a log: demand faults, a forbidden store, a page crossed, all counted", () => {
  const machine = testMachine();
  let measured = 0;
  const guest = bootKernel({
    vcpu: machine.vcpus[0]!,
    hypervisor: bareMetal(machine),
    options: kernelDefaults,
    onMeasure: () => {
      measured += 1;
    },
  });
  const text = `I  00400000,4
 S 1fff000ffc,8
SYSCALL[9,1](10) sys_mprotect ( 0x1fff000000, 4096, 1 )[sync] --> Success(0x0)
 S 1fff000000,8
SYSCALL[9,1](11) sys_munmap ( 0x1fff000000, 8192 )[sync] --> Success(0x0)
 L 1fff000000,8
`;
  guest.measure();
  const before = machine.snapshot().ledger;
  const { chunks } = decodeLackey(Buffer.from(text), "t.lackey");
  for (const chunk of chunks) playChunk(guest, chunk, allAccesses);
  const after = machine.snapshot().ledger;
  expect(measured).toBe(1);
  // Faults: text, two stack pages, the forbidden store, the signal frame, the page touched again.
  expect(after.guestPageFaults - before.guestPageFaults).toBe(6);
  // One mprotect is the log's, the other the signal handler's.
  expect(after.mprotects - before.mprotects).toBe(2);
  expect(after.munmaps - before.munmaps).toBe(1);
  expect(after.computeOps - before.computeOps).toBe(1);
});

const allowed = "allowed: I, L, S or M with address,size; SYSCALL[; ==";

test.each([
  ["I  0401ab70,3\nI  0401,\n", `t.lackey: line 2: line "I  0401,", ${allowed}`],
  [" L 0401ab70\n", `line 1: line " L 0401ab70", ${allowed}`],
  [" L 0401ab7g,8\n", 'line " L 0401ab7g,8"'],
  [" L ,8\n", 'line " L ,8"'],
  [" L 0401ab70,\n", 'line " L 0401ab70,"'],
  [" L 0401ab70,8x\n", 'line " L 0401ab70,8x"'],
  [" L 0401ab70,99999\n", 'line " L 0401ab70,99999"'],
  [" L ffffffffff600000,8\n", 'line " L ffffffffff600000,8"'],
  // Seen accepted by the old parser, which then asked the guest for pages outside its half.
  [" S 7ffffffffffc,8\n", 'line " S 7ffffffffffc,8", allowed: addresses below 0x800000000000'],
  [" L 10000000000000008,8\n", 'line " L 10000000000000008,8"'],
  [" X 0401ab70,8\n", 'line " X 0401ab70,8"'],
  ["I  0401ab70,3\n L 04", 'line 2: line " L 04"'],
  ["", 't.lackey: trace ""'],
  [
    "==shadewalk== set-up\n L 0401ab70,8\n",
    'line 2: trace "ends after 2 lines", allowed: "==shade',
  ],
  ["I  0401ab70,3\n==shadewalk== measure\n", 'line 2: line "==shadewalk== measure"'],
])("%j is refused with its line and what is allowed", (text, message) => {
  expect(() => decodeLackey(Buffer.from(text), "t.lackey")).toThrow(message);
});
