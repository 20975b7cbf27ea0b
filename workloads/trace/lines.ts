/**
 * Bytes in pieces of any size, lines out: the unfinished line is carried to the next piece.
 *
 * A line is handed over as a range of a buffer, so nothing becomes a string on the way. A trace is text; a
 * line that never ends is a binary file, and is refused instead of being collected in memory.
 */
import { TraceError } from "./trace-error.ts";

const newline = 10;
const lineBytesMax = 65_536;

/** Sees the bytes [start, end) of line number `line` (from 1), without the newline. */
export type LineSink = (bytes: Uint8Array, start: number, end: number, line: number) => void;

export class LineSplitter {
  private readonly file: string;
  private readonly sink: LineSink;
  private carry = new Uint8Array(0);
  private line = 0;

  constructor(file: string, sink: LineSink) {
    this.file = file;
    this.sink = sink;
  }

  /** Lines that end in `bytes` go to the sink; `bytes` may be reused afterwards. */
  push(bytes: Uint8Array): void {
    let start = 0;
    if (this.carry.length > 0) {
      const end = bytes.indexOf(newline);
      const rest = end < 0 ? bytes.length : end;
      const joined = join(this.carry, bytes.subarray(0, rest));
      this.checkLength(joined.length);
      this.carry = joined;
      if (end < 0) return;
      this.carry = new Uint8Array(0);
      this.line += 1;
      this.sink(joined, 0, joined.length, this.line);
      start = end + 1;
    }
    for (;;) {
      const end = bytes.indexOf(newline, start);
      if (end < 0) break;
      this.line += 1;
      this.sink(bytes, start, end, this.line);
      start = end + 1;
    }
    this.checkLength(bytes.length - start);
    this.carry = new Uint8Array(bytes.subarray(start));
  }

  /** The last line may lack its newline. Returns the number of lines. */
  end(): number {
    if (this.carry.length > 0) {
      const last = this.carry;
      this.carry = new Uint8Array(0);
      this.line += 1;
      this.sink(last, 0, last.length, this.line);
    }
    return this.line;
  }

  private checkLength(length: number): void {
    if (length <= lineBytesMax) return;
    throw new TraceError({
      file: this.file,
      line: this.line + 1,
      field: "line of more bytes than",
      value: String(lineBytesMax),
      allowed: "lines of text",
    });
  }
}

function join(head: Uint8Array, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}
