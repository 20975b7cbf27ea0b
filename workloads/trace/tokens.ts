/**
 * Words of one line as byte ranges, and hexadecimal numbers of 64 bits as two int32 halves.
 *
 * A JavaScript number is exact to 53 bits only, so a number is read nibble by nibble into `low` and `high`,
 * and an address leaves as page number and offset. Nothing is allocated per line.
 */
import { TraceError } from "./trace-error.ts";

const space = 32;
const tab = 9;
const carriageReturn = 13;
const hash = 35;
const wordsMax = 8;

/** Value of a hexadecimal digit by its byte, or -1. */
const digitOf = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  digitOf[digit.toString(16).charCodeAt(0)] = digit;
  digitOf[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

export class Tokens {
  readonly file: string;
  /** Words on the line; those beyond `wordsMax` are counted, not kept. */
  count = 0;
  line = 0;
  /** The number that `hex` read. */
  low = 0;
  high = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  private readonly starts = new Int32Array(wordsMax);
  private readonly ends = new Int32Array(wordsMax);

  constructor(file: string) {
    this.file = file;
  }

  /** Splits [start, end) of `bytes` at blanks; what follows `#` is a comment. */
  split(bytes: Uint8Array, start: number, end: number, line: number): void {
    this.bytes = bytes;
    this.line = line;
    let count = 0;
    let at = start;
    for (;;) {
      while (at < end && isBlank(bytes[at]!)) at += 1;
      if (at >= end || bytes[at] === hash) break;
      const from = at;
      while (at < end && !isBlank(bytes[at]!) && bytes[at] !== hash) at += 1;
      if (count < wordsMax) {
        this.starts[count] = from;
        this.ends[count] = at;
      }
      count += 1;
    }
    this.count = count;
  }

  /** First byte of word `index`, when the word is that byte alone; otherwise 0. */
  letter(index: number): number {
    const start = this.starts[index]!;
    return this.ends[index]! - start === 1 ? this.bytes[start]! : 0;
  }

  /** Word `index` as text, for rare lines and messages; empty when the line has no such word. */
  word(index: number): string {
    if (index >= this.count || index >= wordsMax) return "";
    return Buffer.from(this.bytes.subarray(this.starts[index], this.ends[index])).toString(
      "latin1",
    );
  }

  /** Reads word `index` as a 64-bit hexadecimal number into `low` and `high`. */
  hex(index: number, field: string): void {
    if (index >= this.count) this.fail(field, "", "a hexadecimal number without 0x");
    const { bytes } = this;
    let low = 0;
    let high = 0;
    const end = this.ends[index]!;
    for (let at = this.starts[index]!; at < end; at++) {
      const digit = digitOf[bytes[at]!]!;
      if (digit < 0) this.fail(field, this.word(index), "a hexadecimal number without 0x");
      if (high >>> 28 !== 0) this.fail(field, this.word(index), "at most 64 bits");
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
    }
    this.low = low;
    this.high = high;
  }

  /** Reads word `index` as a number that must lie in [from, to]. */
  small(index: number, field: string, [from, to]: readonly [number, number]): number {
    this.hex(index, field);
    const value = (this.high >>> 0) * 0x1_0000_0000 + (this.low >>> 0);
    if (value < from || value > to) {
      this.fail(field, this.word(index), `${from.toString(16)} to ${to.toString(16)}`);
    }
    return value;
  }

  /** Refuses words behind the last that the line may have. */
  exactly(count: number): void {
    if (this.count === count) return;
    if (this.count < count)
      this.fail("words", String(this.count), `${count} on a line of "${this.word(0)}"`);
    this.fail("extra word", this.word(count), `${count} words on a line of "${this.word(0)}"`);
  }

  fail(field: string, value: string, allowed: string): never {
    throw new TraceError({ file: this.file, line: this.line, field, value, allowed });
  }
}

function isBlank(byte: number): boolean {
  return byte === space || byte === tab || byte === carriageReturn;
}
