/** Traces by the count: which vCPUs boot, which ops fetch, which words a line has, what each version's header may say. */
import { describe, expect, test } from "vitest";
import { lackeyLabel } from "./lackey-replay.ts";
import { Player, replayDecoded } from "./replay.ts";
import { bareMetal, testMachine } from "./test-machine.ts";
import { accessesOf } from "./test-recorder.ts";
import { Tokens } from "./tokens.ts";
import { decodeVmmu } from "./vmmu.ts";

/** Identity map of the first 64 MiB for user and supervisor. */
const image = `fill 200000 1 201067 0
fill 201000 1 202067 0
fill 202000 20 203067 1000
fill 203000 4000 67 1000
boot 200000
`;
const header = (version: number, lines = "") =>
  `# vmmu-trace ${version}\nmemory 4000000\n${lines}${image}`;

/** Replays on a machine of `vcpus`; which vCPUs booted, and what was counted. */
function replayed(text: string, { vcpus = 1, fetchEachOp = false } = {}) {
  const source = decodeVmmu(Buffer.from(text), "t.trace");
  const machine = testMachine(vcpus);
  const bare = bareMetal(machine);
  const booted: number[] = [];
  const hypervisor = {
    ...bare,
    boot: (...[vcpu, ...rest]: Parameters<typeof bare.boot>) => {
      booted.push(vcpu.id);
      bare.boot(vcpu, ...rest);
    },
  };
  const onPhase = () => undefined;
  const totals = replayDecoded({ machine, hypervisor, source, onPhase, options: { fetchEachOp } });
  return { booted, totals, ledger: machine.snapshot().ledger, machine };
}

describe("a replay", () => {
  test("boots the vCPUs that the trace has, of however many there are", () => {
    expect(replayed(header(1), { vcpus: 3 }).booted).toEqual([0]);
    expect(replayed(header(2, "vcpus 2\n"), { vcpus: 3 }).booted).toEqual([0, 1]);
    expect(replayed(header(3, "vcpus 3\n"), { vcpus: 3 }).booted).toEqual([0, 1, 2]);
  });

  // Planted: a clone that boots every vCPU of its machine.
  test("as a clone boots the vCPUs that the trace has, too", () => {
    const source = decodeVmmu(Buffer.from(header(2, "vcpus 2\n")), "t.trace");
    const booted: number[] = [];
    const playerOf = () => {
      const machine = testMachine(3);
      const bare = bareMetal(machine);
      const boot: typeof bare.boot = (vcpu, ...rest) => {
        booted.push(vcpu.id);
        bare.boot(vcpu, ...rest);
      };
      const hypervisor = { ...bare, boot };
      const onPhase = () => undefined;
      return new Player({ machine, hypervisor, source, onPhase, options: { fetchEachOp: false } });
    };
    const [template, clone] = [playerOf(), playerOf()];
    template.boot();
    clone.resume(template);
    expect(booted).toEqual([0, 1, 0, 1]);
  });

  test("on several vCPUs counts each op where it ran", () => {
    const ops = "r 1000\nv 2\nw 2000\nw 3000\ni 3000\nv 1\nx 4000\ns 5000 7\nv 0\nc 200000\n";
    const { machine, totals } = replayed(header(3, "vcpus 3\n") + ops, { vcpus: 3 });
    const counts = machine.vcpus.map((vcpu) => {
      const { accesses, stores, fetches, invlpgs, cr3Writes } = vcpu.snapshot().ledger;
      return { accesses, stores, fetches, invlpgs, cr3Writes };
    });
    const none = { accesses: 0, stores: 0, fetches: 0, invlpgs: 0, cr3Writes: 0 };
    expect(counts).toEqual([
      { ...none, accesses: 1, cr3Writes: 1 },
      { ...none, accesses: 2, stores: 1, fetches: 1 },
      { ...none, accesses: 2, stores: 2, invlpgs: 1 },
    ]);
    expect(totals.ops).toBe(10);
  });

  // Planted: a change of mode that fetches, everything else that does not.
  test.each([
    ["r 1000", 1],
    ["w 1000", 1],
    ["s 1000 5", 1],
    ["z 1000", 1],
    ["i 1000", 1],
    ["x 20000", 2],
    ["x 10000", 1],
    ["c 200000", 1],
    ["cr3", 1],
    ["cr0 10000", 1],
    ["cr4 80", 1],
    ["invpcid 2 0 0", 1],
    ["cpuid", 1],
    ["y 2000 1000", 1],
    // No instruction of the guest that interprets the trace.
    ["user", 0],
    ["kernel", 0],
    ["v 0", 0],
    ["p end", 0],
    ["h dirty-log-get", 0],
  ])("with fetchEachOp %j fetches %i times, and does else what it does without", (op, fetches) => {
    const data = (fetchEachOp: boolean) => {
      const { ledger } = replayed(`${header(3)}${op}\n`, { fetchEachOp });
      return { ...ledger, fetches: 0, accesses: ledger.accesses - ledger.fetches };
    };
    const { ledger } = replayed(`${header(3)}${op}\n`, { fetchEachOp: true });
    expect(ledger.fetches).toBe(fetches);
    const { accesses, stores, invlpgs, pagesZeroed, cr3Writes } = data(true);
    expect(data(false)).toMatchObject({ accesses, stores, invlpgs, pagesZeroed, cr3Writes });
  });

  test("a change of mode lasts until the next", () => {
    const kernelOnly = header(3).replaceAll("067", "063");
    const { ledger } = replayed(`${kernelOnly}r 1000\nuser\nr 1000\nw 2000\nkernel\nr 1000\n`);
    expect(ledger).toMatchObject({ accesses: 2, guestPageFaults: 2 });
  });
});

describe("the header", () => {
  const lines = [
    ["vcpus 2", 2],
    ["backing 2m", 2],
    ["nrmmu 64", 2],
    ["cr0 10000", 3],
    ["cr4 80", 3],
  ] as const;
  const cases = lines.flatMap(([line, since]) =>
    [1, 2, 3].map((v) => [line, v, v >= since] as const),
  );

  // Planted: a line that every version takes, or none.
  test.each(cases)("%j in version %i is taken: %s", (line, version, isTaken) => {
    const read = () => decodeVmmu(Buffer.from(header(version, `${line}\n`)), "t.trace").header;
    if (isTaken) expect(read().version).toBe(version);
    else
      expect(read).toThrow(`t.trace: line 3: header line "${line.split(" ")[0]}", allowed: memory`);
  });

  test("host pages of 1 GiB need version 3", () => {
    const read = (version: number) =>
      decodeVmmu(Buffer.from(header(version, "backing 1g\n")), "t.trace").header.backing;
    expect(read(3)).toBe("1g");
    expect(() => read(2)).toThrow('backing "1g", allowed: 4k or 2m');
  });

  test("every bit of CR0 and CR4 is kept by itself", () => {
    const read = (line: string) =>
      decodeVmmu(Buffer.from(header(3, `${line}\n`)), "t.trace").header.registers;
    const usual = { writeProtect: true, globalPages: true, pcid: false, levels: 4 };
    expect(read("cr0 0")).toEqual({ ...usual, writeProtect: false });
    expect(read("cr0 10000")).toEqual(usual);
    expect(read("cr4 0")).toEqual({ ...usual, globalPages: false });
    expect(read("cr4 80")).toEqual(usual);
    expect(read("cr4 1000")).toEqual({ ...usual, globalPages: false, levels: 5 });
    expect(read("cr4 20000")).toEqual({ ...usual, globalPages: false, pcid: true });
    expect(read("cr4 21080")).toEqual({ ...usual, pcid: true, levels: 5 });
  });

  test.each([
    ["memory 1000", true],
    ["memory fff", false],
    ["memory 10000000000", true],
    ["memory 10000001000", false],
  ])("%j is a size: %s", (line, isSize) => {
    const read = () =>
      decodeVmmu(Buffer.from(`# vmmu-trace 1\n${line}\nboot 0\n`), "t.trace").header;
    if (isSize) expect(read().memoryFrames).toBe(Number.parseInt(line.slice(7), 16) / 4096);
    else expect(read).toThrow("line 2: memory");
  });
});

describe("the words of a line", () => {
  const split = (text: string, tokens = new Tokens("t.trace")) => {
    const bytes = Buffer.from(text);
    tokens.split(bytes, 0, bytes.length, 1);
    return tokens;
  };

  // Planted: a word of the line before, one beyond those that are kept.
  test("are those that are there, and nothing beyond", () => {
    const tokens = split("one two\tthree four # five");
    expect([tokens.count, ...[0, 1, 2, 3, 4, 8].map((i) => tokens.word(i))]).toEqual([
      4,
      "one",
      "two",
      "three",
      "four",
      "",
      "",
    ]);
    split("six", tokens);
    expect([tokens.count, tokens.word(0), tokens.word(1), tokens.word(3)]).toEqual([
      1,
      "six",
      "",
      "",
    ]);
    expect(() => tokens.hex(1, "GVA")).toThrow('GVA "", allowed: a hexadecimal number');
    const many = split("a b c d e f 7 8 9 10");
    expect([many.count, ...[6, 7, 8, 9, 10].map((i) => many.word(i))]).toEqual([
      10,
      "7",
      "8",
      "",
      "",
      "",
    ]);
    expect(() => many.exactly(9)).toThrow('extra word "", allowed: 9 words on a line of "a"');
    expect(() => many.exactly(11)).toThrow('words "10", allowed: 11 on a line of "a"');
    expect(() => many.exactly(10)).not.toThrow();
  });

  test("end at a comment, a blank or a carriage return, and a letter is a word of one byte", () => {
    const tokens = split("  r  12#34\r");
    expect([tokens.count, tokens.word(0), tokens.word(1)]).toEqual([2, "r", "12"]);
    expect([tokens.letter(0), tokens.letter(1)]).toEqual(["r".charCodeAt(0), 0]);
    expect(split("# nothing").count).toBe(0);
    expect(split(" \t\r").count).toBe(0);
  });

  test("are numbers of at most 64 bits, both halves exact", () => {
    const halves = (text: string) => {
      const tokens = split(text);
      tokens.hex(0, "n");
      return [tokens.high >>> 0, tokens.low >>> 0];
    };
    expect(halves("0")).toEqual([0, 0]);
    expect(halves("ffffffff")).toEqual([0, 0xffff_ffff]);
    expect(halves("100000000")).toEqual([1, 0]);
    expect(halves("FEDCBA9876543210")).toEqual([0xfedc_ba98, 0x7654_3210]);
    expect(halves("00fedcba9876543210")).toEqual([0xfedc_ba98, 0x7654_3210]);
    expect(() => halves("1fedcba9876543210")).toThrow("at most 64 bits");
    expect(split("10").small(0, "n", [16, 16])).toBe(16);
    expect(() => split("f").small(0, "n", [16, 17])).toThrow('n "f", allowed: 10 to 11');
    expect(() => split("12").small(0, "n", [16, 17])).toThrow('n "12", allowed: 10 to 11');
  });
});

describe("a log of lackey", () => {
  // Planted: limits one off.
  test("has accesses of 1 to 65536 bytes, which touch each page that they reach", () => {
    const pages = (text: string) => accessesOf(text).map(([, vpn]) => vpn);
    expect(pages(" L 00010000,1\n")).toEqual([16]);
    expect(pages(" L 00010000,4096\n")).toEqual([16]);
    expect(pages(" L 00010000,4097\n")).toEqual([16, 17]);
    expect(pages(" L 00010fff,1\n")).toEqual([16]);
    expect(pages(" L 00010fff,2\n")).toEqual([16, 17]);
    expect(pages(" L 00010000,65536\n")).toEqual(Array.from({ length: 16 }, (_, i) => 16 + i));
    expect(pages(" S 00010001,65536\n")).toEqual(Array.from({ length: 17 }, (_, i) => 16 + i));
    const refused = "allowed: sizes of 1 to 65536 bytes";
    for (const size of ["0", "65537", "99999", "100000", "655360", "4294967297"]) {
      expect(() => pages(` L 00010000,${size}\n`), size).toThrow(refused);
    }
  });

  test("has a label that says what it lacks, and which calls were replayed if it shows any", () => {
    const bare = "user-only: its update rate is a lower bound";
    expect(lackeyLabel(0)).toBe(bare);
    expect(lackeyLabel(1)).toBe(`${bare} (mmap, munmap, mprotect, brk replayed)`);
  });
});
