/**
 * An imported text as valgrind lackey's lines, piece by piece: what plays those plays these.
 */
import { LineSplitter } from "../lines.ts";
import { TraceError } from "../trace-error.ts";
import type { ImportedAccess, Importer } from "./importer.ts";

type Pieces = AsyncIterable<Uint8Array>;

/** User addresses end at 2^47. */
const digitsMax = 12;
const firstDigitMax = 7;

const letters = { fetch: "I ", load: " L", store: " S" } as const;

/** Throws a `TraceError` for a line that is damage, with its number in the file. */
export async function* asLackey(pieces: Pieces, file: string, importer: Importer): Pieces {
  let lines: string[] = [];
  const splitter = new LineSplitter(file, (bytes, start, end, line) => {
    const text = Buffer.from(bytes.subarray(start, end)).toString("utf8").replace(/\r$/, "");
    const accesses = importer.read(text);
    if (accesses === null) throw damage(file, line, text, importer.allowed);
    for (const access of accesses) {
      const digits = userDigits(access);
      if (digits === null) throw damage(file, line, text, "addresses below 0x800000000000");
      lines.push(`${letters[access.kind]} ${digits},${access.bytes}\n`);
    }
  });
  for await (const piece of pieces) {
    splitter.push(piece);
    if (lines.length > 0) yield Buffer.from(lines.join(""));
    lines = [];
  }
  splitter.end();
  yield Buffer.from(lines.join(""));
}

function userDigits({ address, bytes }: ImportedAccess): string | null {
  const digits = address.toLowerCase().replace(/^0+(?=.)/, "");
  const isUser =
    digits.length < digitsMax ||
    (digits.length === digitsMax && Number.parseInt(digits.charAt(0), 16) <= firstDigitMax);
  return isUser && bytes > 0 ? digits.padStart(8, "0") : null;
}

function damage(file: string, line: number, value: string, allowed: string): TraceError {
  return new TraceError({ file, line, field: "line", value, allowed });
}
