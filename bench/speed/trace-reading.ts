/**
 * How fast a lackey trace is read: opened, decompressed and parsed, nothing replayed.
 *
 * The text is a recording that ships with the program, several times over. Node compresses it, and the xz
 * tool, which Node has no equal of.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { traceWorkloads } from "../../workloads/trace/fixtures.ts";
import { LackeyParser } from "../../workloads/trace/lackey.ts";
import { openTrace } from "../../workloads/trace/open.ts";
import { type HostCost, timedAsync } from "../host-time.ts";

export interface TraceReading extends HostCost {
  /** "plain", "gzip", "zstd" or "xz". */
  readonly compression: string;
  /** Lines, all but a few of which are accesses. */
  readonly records: number;
  readonly fileBytes: number;
}

/** Where a recording's set-up ends; what follows can be repeated. */
const measureLine = "==shadewalk== measure\n";

/** Reads `copies` times the recording under each compression that can be made here. */
export async function measureTraceReading(copies: number): Promise<TraceReading[]> {
  const folder = mkdtempSync(join(tmpdir(), "shadewalk-traces-"));
  try {
    const text = recordingText(copies);
    const plain = join(folder, "plain");
    writeFileSync(plain, text);
    writeFileSync(join(folder, "gzip"), gzipSync(text));
    writeFileSync(join(folder, "zstd"), zstdCompressSync(text));
    const packed = spawnSync("xz", ["--keep", "--stdout", "-1", plain], { maxBuffer: text.length });
    if (packed.status === 0) writeFileSync(join(folder, "xz"), packed.stdout);
    const names = ["plain", "gzip", "zstd", ...(packed.status === 0 ? ["xz"] : [])];
    const readings: TraceReading[] = [];
    for (const compression of names) {
      const file = join(folder, compression);
      const fileBytes = readFileSync(file).length;
      const passes = [];
      // The first pass compiles the parser, and of three more the median counts.
      for (let pass = 0; pass < 4; pass++) passes.push(await timedAsync(() => readAll(file)));
      const warm = passes.slice(1).toSorted((a, b) => a.hostMilliseconds - b.hostMilliseconds);
      const median = warm[1];
      if (median === undefined) continue;
      const { value: records, ...cost } = median;
      readings.push({ compression, records, fileBytes, ...cost });
    }
    return readings;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function recordingText(copies: number): Buffer {
  const text = zstdDecompressSync(readFileSync(traceWorkloads["trace:cc1"].file));
  const window = text.subarray(text.indexOf(measureLine) + measureLine.length);
  return Buffer.concat(Array.from({ length: copies }, () => window));
}

/** Returns the number of lines. */
async function readAll(file: string): Promise<number> {
  const parser = new LackeyParser(file);
  for await (const piece of (await openTrace(file)).bytes) {
    parser.push(piece);
    parser.take();
  }
  parser.end();
  return parser.lines;
}
