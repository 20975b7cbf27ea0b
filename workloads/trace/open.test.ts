import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { openTrace } from "./open.ts";
import { TraceError } from "./trace-error.ts";

const folder = mkdtempSync(join(tmpdir(), "shadewalk-open-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** `# vmmu-trace 1\nmemory 1000\nboot 0\nr 8\n`, packed by xz: it has no encoder here. */
const xzText = "# vmmu-trace 1\nmemory 1000\nboot 0\nr 8\n";
const xzBytes = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jMAQAlIyB2bW11LXRyYWNlIDEKbWVtb3J5IDEwMDAKYm9vdCAwCnIgOAoAAACB943ofhYCdgABPiarK06zH7bzfQEAAAAABFla",
  "base64",
);

function file(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function contents(path: string): Promise<string> {
  const pieces: Buffer[] = [];
  const { bytes } = await openTrace(path);
  for await (const piece of bytes) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString("latin1");
}

test("all four encodings are told by their first bytes, whatever the name says", async () => {
  expect(await contents(file("plain.gz", xzText))).toBe(xzText);
  expect(await contents(file("gzip.xz", gzipSync(xzText)))).toBe(xzText);
  expect(await contents(file("zstd.txt", zstdCompressSync(xzText)))).toBe(xzText);
  expect(await contents(file("xz.zst", xzBytes))).toBe(xzText);
});

test("concatenated members of each encoding are one trace", async () => {
  const head = "# vmmu-trace 1\n".repeat(500);
  const twice = (pack: (text: string) => Uint8Array) => Buffer.concat([pack(head), pack("r 8\n")]);
  expect(await contents(file("two.gz", twice(gzipSync)))).toBe(`${head}r 8\n`);
  expect(await contents(file("two.zst", twice(zstdCompressSync)))).toBe(`${head}r 8\n`);
  expect(await contents(file("two.xz", Buffer.concat([xzBytes, xzBytes])))).toBe(xzText + xzText);
});

test("standard input is read as - and decoded like a file", () => {
  const program = `import { openTrace } from ${JSON.stringify(new URL("./open.ts", import.meta.url).href)};
    const { bytes, format } = await openTrace("-");
    let length = 0;
    for await (const piece of bytes) length += piece.length;
    process.stdout.write(format + length);`;
  const input = gzipSync(xzText);
  const args = ["--input-type=module", "-e", program];
  expect(execFileSync(process.execPath, args, { input }).toString()).toBe(`vmmu${xzText.length}`);
});

// Mutation seen failing: `peek` handing on its pieces without the rest of the iterator.
test("a long trace comes out whole, in pieces", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 400_000 }), async (length) => {
      const text = `# vmmu-trace 1\n${"r 12345\n".repeat(length / 8)}`;
      expect(await contents(file("long", zstdCompressSync(text)))).toBe(text);
    }),
    { numRuns: 20 },
  );
});

test.each([
  ["# vmmu-trace 3\n", "vmmu"],
  ["# a comment\n\nPT_WRITE 0x1000->0x5000\n", "teaching"],
  ["ACCESS 0x1000", "teaching"],
  ["==123== Lackey, an example Valgrind tool\n", "lackey"],
  ["I  0401ab70,3\n", "lackey"],
  [" M 0401ab70,3\n", "lackey"],
  ["SYSCALL[1,1](12) sys_brk ( 0x0 )", "lackey"],
  // Seen refused as no format at all.
  ["--1-- x\nI  0401ab70,3\n", "lackey"],
  ["total 0\nh\u00e9llo\nI 0401ab70,3\r\n", "lackey"],
  [" L 10,1\r\n", "lackey"],
] as const)("%j is a %s trace", async (text, format) => {
  expect((await openTrace(file("format", text))).format).toBe(format);
});

/** Random text, so that nothing is left of it after compression. */
const noise = Array.from({ length: 30_000 }, (_, i) => ((i * 7919 + (i >> 3) * 31) % 251) % 94);
const long = `# vmmu-trace 1\n${String.fromCharCode(...noise.map((code) => code + 32))}`;

test.each([
  ["cut.gz", gzipSync(long).subarray(0, -9), 'cut.gz: gzip data "unexpected end of file"'],
  ["cut.zst", zstdCompressSync(long).subarray(0, -9), 'zstd data "unexpected end of file"'],
  ["cut.xz", xzBytes.subarray(0, -9), 'xz data "unexpected end of file", allowed: a complete'],
  ["head.xz", xzBytes.subarray(0, 30), 'xz data "unexpected end of file"'],
  ["bad.gz", damaged(gzipSync(long)), "bad.gz: gzip data"],
  [
    "bad.zst",
    damaged(zstdCompressSync(long, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })),
    "bad.zst: zstd data",
  ],
  ["bad.xz", damaged(xzBytes), 'xz data "damaged"'],
  [
    "a.bz2",
    Buffer.from("BZh91AY&SY"),
    'compression "bzip2", allowed: plain text, gzip (.gz), zstd',
  ],
  ["a.zip", Buffer.from("PK\u0003\u0004"), 'compression "zip"'],
  ["empty", "", 'line 1: trace format "", allowed: # vmmu-trace 1 to 4, PT_WRITE or ACCESS, or'],
  [
    "mem",
    "# To display the perf.data header info\n#\n 0.1% L1 hit\n",
    "; this looks like perf mem, see",
  ],
  ["data", "PERFILE2\u0068", "; this looks like a recording of perf, see"],
  ["noise", "\u0001\u0002\n", 'line 1: trace format "\\u0001\\u0002"'],
])("%s is one line that says what is wrong", async (name, bytes, message) => {
  const opened = contents(file(name, bytes));
  await expect(opened).rejects.toThrow(TraceError);
  await expect(opened).rejects.toThrow(message);
  await expect(opened).rejects.not.toThrow("\n");
});

test("a file that is not there is the user's mistake", async () => {
  await expect(openTrace(join(folder, "none"))).rejects.toThrow('open "no such file');
});

function damaged(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const middle = Math.floor(copy.length / 2);
  for (let i = middle; i < middle + 8; i++) copy[i] = (copy[i] ?? 0) ^ 0x5a;
  return copy;
}
