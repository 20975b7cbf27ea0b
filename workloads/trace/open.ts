/**
 * Opens a trace: plain, .gz, .zst, .xz or standard input, decoded piece by piece and never held whole.
 *
 * The first bytes decide, not the name. Then the first decoded bytes decide which of the three formats it
 * is. A damaged or cut file is one clear line: what decoders report in their own words is translated.
 */
import { createReadStream } from "node:fs";
import { type Duplex, pipeline, Readable } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { foreignTrace } from "./foreign.ts";
import { asLackey } from "./importers/as-lackey.ts";
import type { Importer } from "./importers/importer.ts";
import { importers } from "./importers/index.ts";
import { isLackeyLine } from "./lackey-lines.ts";
import { refusalText } from "./refusal.ts";
import { TraceError } from "./trace-error.ts";
import { decodeXz } from "./xz.ts";

export type TraceFormat = "vmmu" | "teaching" | "lackey";

export interface OpenTrace {
  /** As the user named it. */
  readonly file: string;
  readonly format: TraceFormat;
  /** The tool whose text became the lackey lines of `bytes`; null where the file is itself in the format. */
  readonly imported: string | null;
  /** The decoded bytes from the first one on; to be consumed once. A piece is valid until the next. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

type Pieces = AsyncIterable<Uint8Array>;
type Compression = "none" | "gzip" | "zstd" | "xz";

/** Bytes per read and per decoded piece. */
const pieceBytes = 262_144;
/** Enough for every magic number and for the first line of every format. */
const headBytes = 4096;

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** Known, and not decoded here. */
const foreignMagics: readonly (readonly [string, readonly number[]])[] = [
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["zip", [0x50, 0x4b, 0x03, 0x04]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
  ["7z", [0x37, 0x7a, 0xbc, 0xaf]],
];

/** Opens `file` (`-` is standard input) and says which format it holds. */
export async function openTrace(file: string): Promise<OpenTrace> {
  const bytes = decoded(file);
  const { head, whole } = await peek(bytes, headBytes);
  const importer = importerOf(head);
  if (importer !== undefined) {
    const imported = asLackey(whole, file, importer);
    return { file, format: "lackey", imported: importer.title, bytes: imported };
  }
  return { file, format: formatOf(head, file), imported: null, bytes: whole };
}

/** The decoded bytes of `file`, whatever they say. */
async function* decoded(file: string): Pieces {
  const { head, whole } = await peek(raw(file), headBytes);
  const compression = compressionOf(head, file);
  if (compression === "none") {
    yield* whole;
    return;
  }
  let any = false;
  try {
    for await (const piece of decoders[compression](whole)) {
      any = true;
      yield piece;
    }
  } catch (error) {
    if (error instanceof TraceError) throw error;
    throw damaged(file, compression, error);
  }
  if (!any) throw damaged(file, compression, new Error("it holds nothing"));
}

async function* raw(file: string): Pieces {
  const stream =
    file === "-" ? process.stdin : createReadStream(file, { highWaterMark: pieceBytes });
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } catch (error) {
    const value = refusalText(error) ?? String(error);
    throw new TraceError({ file, line: 0, field: "open", value, allowed: "a readable file or -" });
  }
}

const decoders: Record<Exclude<Compression, "none">, (pieces: Pieces) => Pieces> = {
  gzip: (pieces) => through(pieces, createGunzip({ chunkSize: pieceBytes })),
  zstd: (pieces) => {
    // Files written with `--long=31` need the window that they name; the default stops at 2^27.
    const params = { [constants.ZSTD_d_windowLogMax]: 31 };
    return through(pieces, createZstdDecompress({ chunkSize: pieceBytes, params }));
  },
  xz: decodeXz,
};

async function* through(pieces: Pieces, decoder: Duplex): Pieces {
  // An error of either side ends both, and comes out of the loop below.
  pipeline(Readable.from(pieces, { objectMode: false }), decoder, () => undefined);
  for await (const piece of decoder) yield piece as Uint8Array;
}

/** Reads ahead until `bytes` are there or the end; `whole` still starts at the first byte. */
async function peek(pieces: Pieces, bytes: number): Promise<{ head: Uint8Array; whole: Pieces }> {
  const iterator = pieces[Symbol.asyncIterator]();
  const read: Uint8Array[] = [];
  let length = 0;
  while (length < bytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    // A copy: the decoder may reuse its buffer for the next piece.
    read.push(new Uint8Array(next.value));
    length += next.value.length;
  }
  const whole = async function* () {
    yield* read;
    yield* { [Symbol.asyncIterator]: () => iterator };
  };
  return { head: Buffer.concat(read), whole: whole() };
}

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => head[i] === byte);
}

function compressionOf(head: Uint8Array, file: string): Compression {
  const foreign = foreignMagics.find(([, magic]) => startsWith(head, magic))?.[0];
  if (foreign !== undefined) {
    const allowed = "plain text, gzip (.gz), zstd (.zst) or xz (.xz)";
    throw new TraceError({ file, line: 0, field: "compression", value: foreign, allowed });
  }
  return magics.find(([, magic]) => startsWith(head, magic))?.[0] ?? "none";
}

function damaged(file: string, compression: Compression, error: unknown): TraceError {
  const reason = error instanceof Error ? error.message : String(error);
  return new TraceError({
    file,
    line: 0,
    field: `${compression} data`,
    value: reason,
    allowed: "a complete, undamaged file",
  });
}

/** The tool that wrote the text, unless it is in one of the three formats. */
function importerOf(head: Uint8Array): Importer | undefined {
  const lines = linesOf(head);
  if (lines.some((line) => isVmmu(line) || isTeaching(line) || isLackeyLine(line)))
    return undefined;
  const first = lines.find((line) => !/^\s*(?:#.*)?$/.test(line)) ?? "";
  return importers.find(({ isLine }) => isLine(first));
}

function linesOf(head: Uint8Array): string[] {
  return Buffer.from(head).toString("utf8").split(/\r?\n/);
}

/**
 * Which format the first line that says anything belongs to. What a program printed may stand before a
 * lackey log's first line, so for lackey any line does.
 */
function formatOf(head: Uint8Array, file: string): TraceFormat {
  const lines = linesOf(head);
  const said = lines.findIndex((line) => !/^\s*(?:#.*)?$/.test(line) || isVmmu(line));
  const first = lines[said] ?? "";
  if (isVmmu(first)) return "vmmu";
  if (isTeaching(first)) return "teaching";
  if (lines.some(isLackeyLine)) return "lackey";
  const foreign = lines.map(foreignTrace).find((name) => name !== null) ?? null;
  const hint =
    foreign === null ? "" : `; this looks like ${foreign}, see workloads/trace/FORMAT.md`;
  const allowed = `# vmmu-trace 1 to 4, PT_WRITE or ACCESS, or valgrind lackey output${hint}`;
  const line = said < 0 ? lines.length : said + 1;
  throw new TraceError({ file, line, field: "trace format", value: first, allowed });
}

function isTeaching(line: string): boolean {
  return /^\s*(?:PT_WRITE|ACCESS)\b/.test(line);
}

function isVmmu(line: string): boolean {
  return line.startsWith("# vmmu-trace");
}
