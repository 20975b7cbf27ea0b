/**
 * Each importer reads a small file of the tool's real shape, and says in one line what is wrong with a damaged one.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { openTrace } from "../open.ts";
import { toVmmu } from "../to-vmmu.ts";
import { TraceError } from "../trace-error.ts";
import { importers } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-importers-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function lackeyOf(path: string): Promise<string> {
  const { format, bytes } = await openTrace(path);
  expect(format).toBe("lackey");
  let text = "";
  for await (const piece of bytes) text += Buffer.from(piece).toString();
  return text;
}

const shapes: readonly (readonly [title: string, text: string, lackey: string, damaged: string])[] =
  [
    [
      "Pin's pinatrace",
      "0x7f53acd6b103: R 0x7ffcb5d0b698\n0x401136: W 0x4c1230\n#eof\n",
      "I  7f53acd6b103,1\n L 7ffcb5d0b698,8\nI  00401136,1\n S 004c1230,8\n",
      "0x401136: W",
    ],
    [
      "DynamoRIO's drmemtrace view",
      "Output format:\n<--record#-> <--instr#->: <---tid---> <record details>\n" +
        "------------------------------------------------------------\n" +
        "           1           0:     3256418 <marker: version 3>\n" +
        "          10           1:     3256418 ifetch       3 byte(s) @ 0x00007f53acd6b100 non-branch\n" +
        "          11           1:     3256418 read         8 byte(s) @ 0x00007ffcb5d0b698 by PC 0x00007f53acd6b100\n" +
        "          12           2:     3256418 write        4 byte(s) @ 0x00007ffcb5d0b690 by PC 0x00007f53acd6b103\n" +
        "View tool results:\n               2 : total instructions\n",
      "I  7f53acd6b100,3\n L 7ffcb5d0b698,8\n S 7ffcb5d0b690,4\n",
      "          12           2:     3256418 write        4 byte(s) @",
    ],
    [
      "DynamoRIO's memtrace",
      "Format: <data address>: <data size>, <(r)ead/(w)rite/opcode>\n" +
        "0x00007f53acd6b100:  3, mov\n0x00007ffcb5d0b698:  8, r\n0x00007ffcb5d0b690:  4, w\n",
      "I  7f53acd6b100,3\n L 7ffcb5d0b698,8\n S 7ffcb5d0b690,4\n",
      "0x00007ffcb5d0b690:  4",
    ],
    [
      "gem5 ExecAll",
      "gem5 Simulator System.  https://www.gem5.org\n" +
        "   5000: system.cpu: A0 T0 : 0x400100 @main+4    :   add   rax, rbx : IntAlu :  D=0x1\n" +
        "   5500: system.cpu: A0 T0 : 0x400104 @main+8. 0 :   ld   rax, DS:[rsp] : MemRead :  D=0x1 A=0x7fffffffed28\n" +
        "   6000: system.cpu: A0 T0 : 0x400108 @main+12. 0 :   st   rax, DS:[rsp] : MemWrite :  D=0x1 A=0x7fffffffed20\n",
      "I  00400100,1\nI  00400104,1\n L 7fffffffed28,8\nI  00400108,1\n S 7fffffffed20,8\n",
      "   5500: system.cpu: A0 T0 : 0x400104 @main+8. 0 :   ld   rax, DS:[rsp] : MemRead :  D=0x1",
    ],
    [
      "QEMU's execlog",
      '0, 0x401136, 0x8b0424, "movl (%rsp), %eax", load, 0x4000800420, RAM\n' +
        '0, 0x40113a, 0x90, "nop"\n' +
        '0, 0x40113b, 0x50, "pushq %rax", store, 0x4000800418\n',
      "I  00401136,1\n L 4000800420,8\nI  0040113a,1\nI  0040113b,1\n S 4000800418,8\n",
      '0, 0x40113a, 0x90, "no',
    ],
    [
      "perf script of memory samples",
      "# captured on: Mon\n     cpu/mem-loads,ldlat=30/P:     7ffcb5d0b698\n" +
        "    cpu/mem-stores/P:     7ffcb5d0b690\n cpu/mem-loads,ldlat=30/P: ffff8881003c2a40\n" +
        "prog  1234 [002] 77.123:  1 cpu/mem-loads/P:   55d0c0ffe010 |OP LOAD|\n",
      " L 7ffcb5d0b698,8\n S 7ffcb5d0b690,8\n L 55d0c0ffe010,8\n",
      "    cpu/mem-stores/P:     zz",
    ],
    [
      "Dinero's din",
      "2 400100\n0 7ffe1230\n1 7ffe1234 extra\n4 0\n",
      "I  00400100,4\n L 7ffe1230,8\n S 7ffe1234,8\n",
      "0 xyz",
    ],
    [
      "plain R and W lines",
      "# mine\nR 0x7ffe1230\nW 7ffe1230 4\nload, 0x1000\nX 400100\n0x2000\n",
      " L 7ffe1230,8\n S 7ffe1230,4\n L 00001000,8\nI  00400100,8\n L 00002000,8\n",
      "W",
    ],
  ];

test("every importer of the registry has a file here", () => {
  expect(shapes.map(([title]) => title).toSorted()).toEqual(
    importers.map(({ title }) => title).toSorted(),
  );
});

test.each(shapes)(
  "%s becomes lackey's lines, plain and compressed",
  async (title, text, lackey) => {
    const plain = file("plain", text);
    expect((await openTrace(plain)).imported).toBe(title);
    expect(await lackeyOf(plain)).toBe(lackey);
    expect(await lackeyOf(file("windows", text.replaceAll("\n", "\r\n")))).toBe(lackey);
    expect(await lackeyOf(file("packed", gzipSync(text)))).toBe(lackey);
  },
);

// Seen failing: with damaged lines passed over as lines of other things.
test.each(shapes)("%s, damaged, is one line with its number", async (_, text, __, damaged) => {
  const lines = text.trimEnd().split("\n").length;
  const path = file("damaged", `${text}${damaged}\n`);
  const read = lackeyOf(path);
  await expect(read).rejects.toThrow(TraceError);
  await expect(read).rejects.toThrow(`${path}: line ${lines + 1}: line "`);
  await expect(read).rejects.not.toThrow("\n");
});

test("addresses that no user program has are refused", async () => {
  const path = file("kernel", "R 0x1000\nW ffff888000001000\n");
  await expect(lackeyOf(path)).rejects.toThrow(
    'line 2: line "W ffff888000001000", allowed: addresses below 0x800000000000',
  );
});

test("a converted trace maps every page once and holds every access, eight bytes within its page", async () => {
  const path = file("rw", "W 0x7ffe1230\nR 401000 4\nW 400ffc 8\nX 400100 4\n");
  let text = "";
  for await (const piece of toVmmu(() => openTrace(path))) text += piece;
  const lines = text.trimEnd().split("\n");
  expect(lines.slice(0, 2)).toEqual([
    "# vmmu-trace 3",
    "# from plain R and W lines: user-only, 3 pages, all mapped from the start",
  ]);
  expect(lines.slice(lines.indexOf("user"))).toEqual([
    "user",
    "w 7ffe1230",
    "r 401000",
    "w 400ff8",
    "w 401000",
    "x 400100",
  ]);
  // Root, one PDPT, two PDs (of the first and the second GiB), two page tables, three pages.
  expect(lines.filter((line) => line.startsWith("fill"))).toHaveLength(8);
});
