/**
 * valgrind lackey text (`--tool=lackey --trace-mem=yes`): every access of a real program, one a line.
 *
 *     I  0401ab70,3        instruction fetch of 3 bytes          ==123== ...   valgrind's own words: skipped
 *      S 1fff000778,8      store                                 SYSCALL[...   see `lackey-events.ts`
 *      M 0421c7cc,4        load, then store (one instruction)
 *      L 0421c7cc,4        load
 *
 * An access that crosses a page touches both. Parsed byte by byte at 30 million records a second or more:
 * nothing becomes a string but system calls.
 *
 * A recording of a part of a run says `==shadewalk== set-up` in its first line and `==shadewalk== measure`
 * where that part begins; before it stand first touches only (`scripts/record-trace.ts`).
 */
import { fetchBit, storeBit, type AccessChunk } from "./lackey-events.ts";
import { LackeyPlan } from "./lackey-plan.ts";
import { TraceError } from "./trace-error.ts";

const newline = 10;
const space = 32;
const comma = 44;
const digit0 = 48;
const letterI = 0x49;
const letterL = 0x4c;
const letterM = 0x4d;
const letterS = 0x53;
const pageBytes = 4096;
/** User addresses end at 2^47; page 0 is never one. */
const highEnd = 0x8000;
/** No instruction touches more (XSAVE areas stay below 12 KiB). */
const accessBytesMax = 65_536;
const lineBytesMax = 65_536;

const setUpLine = "==shadewalk== set-up";
const measureLine = "==shadewalk== measure";
const allowedLines = "I, L, S or M with address,size; SYSCALL[; ==";

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

/** Push parser: bytes in, chunks of accesses and events out. */
export class LackeyParser {
  readonly plan = new LackeyPlan();
  /** True when set-up comes first. Known once the first line is in. */
  hasSetUp = false;
  private readonly file: string;
  private carry: Uint8Array = new Uint8Array(0);
  private line = 0;
  private measured = false;

  constructor(file: string) {
    this.file = file;
  }

  /** Parses the complete lines of `bytes`, which may be reused afterwards. */
  push(bytes: Uint8Array): void {
    const last = bytes.lastIndexOf(newline);
    if (last < 0) {
      this.carry = Buffer.concat([this.carry, bytes]);
      if (this.carry.length > lineBytesMax)
        this.fail("line of more bytes than", String(lineBytesMax));
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
    this.plan.end();
  }

  /** Lines so far. */
  get lines(): number {
    return this.line;
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
      if ((!isFetch && first !== space) || bytes[at + 2] !== space) {
        at = this.otherLine(bytes, from, end);
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
          size = size * 10 + byte - digit0;
          // A byte that is no digit makes the size absurd here or leaves it below the next check.
          if (byte < digit0 || byte > digit0 + 9 || size > accessBytesMax) this.bad(bytes, from);
          at += 1;
        }
      }
      if (size === 0 || digits === 0 || digits > 16) this.bad(bytes, from);
      if (high >>> 0 >= highEnd || (high === 0 && low >>> 12 === 0)) this.bad(bytes, from);
      at += 1;
      const offset = low & (pageBytes - 1);
      if (offset + size > pageBytes) {
        this.crossing(bytes, { from, low, high, size });
      } else if (isFetch) {
        plan.access(low, high, fetchBit);
      } else if (second === letterL) {
        plan.access(low, high, 0);
      } else if (second === letterS) {
        plan.access(low, high, storeBit);
      } else if (second === letterM) {
        plan.access(low, high, 0);
        plan.access(low, high, storeBit);
      } else {
        this.bad(bytes, from);
      }
    }
  }

  /** An access to more than one page: each is translated, those of the load before those of the store. */
  private crossing(
    bytes: Uint8Array,
    { from, low, high, size }: { from: number; low: number; high: number; size: number },
  ): void {
    const { plan } = this;
    const second = bytes[from + 1];
    const isFetch = bytes[from] === letterI;
    if (!isFetch && second !== letterL && second !== letterS && second !== letterM)
      this.bad(bytes, from);
    const isModify = !isFetch && second === letterM;
    const kinds = isModify
      ? [0, storeBit]
      : [isFetch ? fetchBit : second === letterS ? storeBit : 0];
    const pages = Math.ceil(((low & (pageBytes - 1)) + size) / pageBytes);
    for (const kind of kinds) {
      plan.access(low, high, kind);
      for (let page = 1; page < pages; page++) {
        const next = (low & -pageBytes) + page * pageBytes;
        // The low half is signed; what it loses by wrapping goes into the high half.
        const carry = (low & -pageBytes) >>> 0 > next >>> 0 ? 1 : 0;
        plan.access(next | 0, high + carry, kind);
      }
    }
  }

  /** A line that is no record. Returns the start of the next. */
  private otherLine(bytes: Uint8Array, from: number, end: number): number {
    const to = bytes.indexOf(newline, from);
    const text = Buffer.from(bytes.subarray(from, to < 0 ? end : to))
      .toString("latin1")
      .trimEnd();
    if (text === setUpLine && this.line === 1) {
      this.hasSetUp = true;
    } else if (text === measureLine && this.hasSetUp && !this.measured) {
      this.measured = true;
      this.plan.measure();
    } else if (text.startsWith("SYSCALL[")) {
      this.plan.systemCall(text);
    } else if (!/^(?:==\d+==|--\d+--|\*\*\d+\*\*| -->|$)/.test(text)) {
      this.bad(bytes, from);
    }
    return to + 1;
  }

  private bad(bytes: Uint8Array, from: number): never {
    const to = bytes.indexOf(newline, from);
    return this.fail("line", Buffer.from(bytes.subarray(from, to)).toString("latin1"));
  }

  private fail(field: string, value: string): never {
    const { file, line } = this;
    throw new TraceError({ file, line, field, value, allowed: allowedLines });
  }
}
