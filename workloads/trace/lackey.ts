/**
 * valgrind lackey text (`--tool=lackey --trace-mem=yes`): every access of a real program, one a line.
 *
 *     I  0401ab70,3        instruction fetch of 3 bytes          ==123== ...   valgrind's own words: skipped
 *      S 1fff000778,8      store                                 SYSCALL[...   see `lackey-events.ts`
 *      M 0421c7cc,4        load, then store (one instruction)    total 0       the program's output: counted
 *      L 0421c7cc,4        load
 *
 * An access that crosses a page touches both. Parsed byte by byte at 30 million records a second or more:
 * nothing becomes a string but system calls and what `lackey-lines.ts` has to look at.
 *
 * A recording of a part of a run says `==shadewalk== set-up` in its first line and `==shadewalk== measure`
 * where that part begins; before it stand first touches only (`scripts/record-trace.ts`).
 */
import { fetchBit, storeBit, type AccessChunk } from "./lackey-events.ts";
import { type LackeyLine, lackeyLine, measureLine } from "./lackey-lines.ts";
import { LackeyPlan } from "./lackey-plan.ts";
import { TraceError } from "./trace-error.ts";

const newline = 10;
const carriageReturn = 13;
const space = 32;
const comma = 44;
const digit0 = 48;
const letterI = 0x49;
const letterL = 0x4c;
const letterM = 0x4d;
const letterS = 0x53;
const pageBytes = 4096;
/** User addresses end at 2^47. */
const highEnd = 0x8000;
/** No instruction touches more (XSAVE areas stay below 12 KiB). */
const accessBytesMax = 65_536;
const lineBytesMax = 65_536;
/** Programs that a note names. */
const namesMax = 4;

const allowedLines = "I, L, S or M with address,size; SYSCALL[; ==";
const allowedAddresses = "addresses below 0x800000000000";
const allowedSizes = `sizes of 1 to ${accessBytesMax} bytes`;

/** Value of a lower-case hexadecimal digit by its byte, or -1. */
const digitOf = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) digitOf[digit.toString(16).charCodeAt(0)] = digit;

/** Value of the eight digits from `at` on, or -1 if one is none. Every address has them: 1.2 times the speed. */
function eightDigits(bytes: Uint8Array, at: number): number {
  const a = digitOf[bytes[at]!]!;
  const b = digitOf[bytes[at + 1]!]!;
  const c = digitOf[bytes[at + 2]!]!;
  const d = digitOf[bytes[at + 3]!]!;
  const e = digitOf[bytes[at + 4]!]!;
  const f = digitOf[bytes[at + 5]!]!;
  const g = digitOf[bytes[at + 6]!]!;
  const h = digitOf[bytes[at + 7]!]!;
  if ((a | b | c | d | e | f | g | h) < 0) return -1;
  const high = (a << 12) | (b << 8) | (c << 4) | d;
  return high * 0x1_0000 + ((e << 12) | (f << 8) | (g << 4) | h);
}

type OddRecord = LackeyLine & { kind: "record" };

/** Push parser: bytes in, chunks of accesses and events out. */
export class LackeyParser {
  readonly plan = new LackeyPlan();
  /** True when set-up comes first. Known once the first line is in. */
  hasSetUp = false;
  private readonly file: string;
  private carry: Uint8Array = new Uint8Array(0);
  private line = 0;
  private measured = false;
  private outputLines = 0;
  /** Processes whose remarks or system calls the log holds. */
  private readonly pids = new Set<string>();
  /** A system call whose result other lines keep away from it. */
  private openCall: string | null = null;

  constructor(file: string) {
    this.file = file;
  }

  /** Parses the complete lines of `bytes`, which may be reused afterwards. */
  push(bytes: Uint8Array): void {
    const last = bytes.lastIndexOf(newline);
    if (last < 0) {
      const line = Buffer.concat([this.carry, bytes]);
      // Only what a program prints is that long; a record may stand behind it.
      const half = lineBytesMax / 2;
      const ends = () => [line.subarray(0, half), line.subarray(-half)];
      this.carry = line.length > lineBytesMax ? Buffer.concat(ends()) : line;
      return;
    }
    let start = 0;
    if (this.carry.length > 0) {
      start = bytes.indexOf(newline) + 1;
      const joined = Buffer.concat([this.carry, bytes.subarray(0, start)]);
      this.parse(joined, 0, joined.length);
    }
    this.parse(bytes, start, last + 1);
    this.carry = new Uint8Array(bytes.subarray(last + 1));
  }

  /** No more bytes. */
  end(): void {
    if (this.carry.length > 0) this.push(Uint8Array.of(newline));
    if (this.line === 0) this.fail("trace", "");
    if (this.hasSetUp && !this.measured) {
      const { file, line } = this;
      const value = `ends after ${line} lines`;
      throw new TraceError({ file, line, field: "trace", value, allowed: `"${measureLine}"` });
    }
    this.closeCall("");
    this.plan.end();
  }

  /** Lines so far. */
  get lines(): number {
    return this.line;
  }

  /** What a reader of the result must know about this log. */
  get notes(): string[] {
    const { outputLines: lines, pids, plan } = this;
    const names = [...pids].slice(0, namesMax).map((pid) => `==${pid}==`);
    if (pids.size > namesMax) names.push("...");
    const notes: readonly (readonly [boolean, string])[] = [
      [lines > 0, `${lines} ${lines === 1 ? "line" : "lines"} of the program's own output skipped`],
      [pids.size > 1, `${pids.size} programs in one log (${names.join(", ")}), played as one`],
      [plan.mapsPage0, "page 0 has memory, for the log accesses it"],
    ];
    return notes.filter(([applies]) => applies).map(([, note]) => note);
  }

  take(): AccessChunk[] {
    return this.plan.take();
  }

  /** Whole lines only: `end` lies behind a newline, so no byte of a record needs a check for the end. */
  private parse(bytes: Uint8Array, start: number, end: number): void {
    const { plan } = this;
    let at = start;
    while (at < end) {
      this.line += 1;
      const from = at;
      const first = bytes[at]!;
      const second = bytes[at + 1]!;
      const isFetch = first === letterI;
      if ((isFetch ? second : first) !== space || bytes[at + 2] !== space) {
        at = this.oddLine(bytes, from);
        continue;
      }
      at += 3;
      let low = 0;
      let high = 0;
      const eight = at + 8 < end ? eightDigits(bytes, at) : -1;
      if (eight >= 0) {
        low = eight | 0;
        at += 8;
      }
      let digit = digitOf[bytes[at]!]!;
      while (digit >= 0) {
        high = (high << 4) | (low >>> 28);
        low = (low << 4) | digit;
        at += 1;
        digit = digitOf[bytes[at]!]!;
      }
      let size = 0;
      const digits = at - from - 3;
      if (bytes[at] === comma) {
        at += 1;
        for (let byte = bytes[at]!; byte !== newline; byte = bytes[at]!) {
          if (byte < digit0 || byte > digit0 + 9 || size > accessBytesMax) {
            if (byte === carriageReturn && bytes[at + 1] === newline) at += 1;
            else size = 0;
            break;
          }
          size = size * 10 + byte - digit0;
          at += 1;
        }
      }
      const offset = low & (pageBytes - 1);
      const isPlain = size > 0 && offset + size <= pageBytes && digits > 0 && digits <= 16;
      if (!isPlain || high >>> 0 >= highEnd) {
        at = this.oddLine(bytes, from);
        continue;
      }
      at += 1;
      if (isFetch) {
        plan.access(low, high, fetchBit);
      } else if (second === letterL) {
        plan.access(low, high, 0);
      } else if (second === letterS) {
        plan.access(low, high, storeBit);
      } else if (second === letterM) {
        plan.access(low, high, 0);
        plan.access(low, high, storeBit);
      } else {
        at = this.oddLine(bytes, from);
      }
    }
  }

  /** A line that is no record within a page as valgrind writes it. Returns the start of the next. */
  private oddLine(bytes: Uint8Array, from: number): number {
    const to = bytes.indexOf(newline, from);
    const text = Buffer.from(bytes.subarray(from, to)).toString("utf8");
    const line = lackeyLine(text);
    switch (line.kind) {
      case "record":
        if (line.behindOutput) this.outputLines += 1;
        this.oddRecord(line, text);
        break;
      case "call":
        if (line.behindOutput) this.outputLines += 1;
        this.pids.add(/\d+/.exec(line.text)?.[0] ?? "");
        this.closeCall("");
        this.openCall = line.text;
        if (line.text.includes("-->")) this.closeCall("");
        break;
      case "result":
        this.closeCall(line.text);
        break;
      case "remark":
        this.pids.add(line.pid);
        break;
      case "set-up":
        if (this.line !== 1) this.bad(text);
        this.hasSetUp = true;
        break;
      case "measure":
        if (!this.hasSetUp || this.measured) this.bad(text);
        this.measured = true;
        this.plan.measure();
        break;
      case "output":
        this.outputLines += 1;
        break;
      case "broken":
        this.bad(text);
        break;
      case "nothing":
        break;
    }
    return to + 1;
  }

  private closeCall(result: string): void {
    if (this.openCall !== null) this.plan.systemCall(this.openCall + result);
    this.openCall = null;
  }

  /** Any record: each page that it touches is translated, those of the load before those of the store. */
  private oddRecord({ letter, digits, bytes: size }: OddRecord, text: string): void {
    const { plan } = this;
    if (size === 0 || size > accessBytesMax) this.bad(text, allowedSizes);
    const low = Number.parseInt(digits.slice(-8), 16) | 0;
    const high = digits.length > 8 ? Number.parseInt(digits.slice(0, -8), 16) : 0;
    const pages = Math.ceil(((low & (pageBytes - 1)) + size) / pageBytes);
    const firstPage = high * 0x10_0000 + (low >>> 12);
    if (firstPage + pages > highEnd * 0x10_0000) this.bad(text, allowedAddresses);
    const kinds = { I: [fetchBit], L: [0], S: [storeBit], M: [0, storeBit] }[letter];
    for (const kind of kinds) {
      plan.access(low, high, kind);
      for (let page = firstPage + 1; page < firstPage + pages; page++) {
        plan.access((page % 0x10_0000) << 12, Math.floor(page / 0x10_0000), kind);
      }
    }
  }

  private bad(line: string, allowed = allowedLines): never {
    return this.fail("line", line.replace(/\r$/, ""), allowed);
  }

  private fail(field: string, value: string, allowed = allowedLines): never {
    const { file, line } = this;
    throw new TraceError({ file, line, field, value, allowed });
  }
}
