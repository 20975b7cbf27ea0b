/**
 * Standard error of a watched process: the user's, which has another descriptor there (see `watched-run.ts`).
 */
import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { isatty, WriteStream } from "node:tty";

/** From now on `process.stderr` and `console.error` write to this descriptor. */
export function moveStderr(descriptor: number): void {
  const stream = isatty(descriptor) ? new WriteStream(descriptor) : synchronous(descriptor);
  Object.defineProperty(process, "stderr", { configurable: true, value: stream });
}

/** Written at once, so that nothing is lost when the process ends. */
function synchronous(descriptor: number): Writable {
  const stream = new Writable({
    decodeStrings: true,
    write(piece: Buffer, _, done) {
      try {
        for (let at = 0; at < piece.length;) at += writeSome(descriptor, piece.subarray(at));
        done();
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
  return Object.assign(stream, { fd: descriptor });
}

function writeSome(descriptor: number, piece: Buffer): number {
  try {
    return writeSync(descriptor, piece);
  } catch (error) {
    const isFull = error instanceof Error && "code" in error && error.code === "EAGAIN";
    if (!isFull) throw error;
    // A pipe that another process made non-blocking, and whose reader is slow.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    return 0;
  }
}
