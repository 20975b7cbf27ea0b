#!/usr/bin/env node
/**
 * Records a program as a lackey trace: every access and every system call, or a window of them.
 *
 * Before a window stand the system calls that shaped its address space and the first touch of each page, so
 * that the window finds its pages as the program left them. The log goes through a pipe into the compressor;
 * a long run needs no disk. Process numbers become 1, so that two recordings of one run are equal.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { Command, CommanderError } from "@commander-js/extra-typings";
import { ConfigError, EnvironmentError } from "../bench/input/config-error.ts";
import { wholeNumber } from "./commands/options.ts";
import { errorReport } from "./error-report.ts";
import { guardOutput } from "./guard-output.ts";

const recordsMax = 1_000_000_000_000;
/** File descriptor of the child on which valgrind writes its log. */
const logDescriptor = 3;
/** Size of the zstd window, log2: a trace repeats itself over megabytes. */
const zstdWindowLog = 27;

guardOutput("record-trace");

const command = new Command("record-trace")
  .description(
    "Runs PROGRAM under valgrind's lackey and writes its memory accesses and system calls as a trace.",
  )
  .argument("<program>", "program to run")
  .argument("[args...]", "its arguments; put -- before the program if they begin with a dash")
  .requiredOption("-o, --out <file>", "trace to write: .zst and .gz are compressed, others plain")
  .option("--skip <records>", "records before the window", count("--skip"), 0)
  .option("--keep <records>", "records in the window; then the program is stopped", count("--keep"))
  .addHelpText(
    "after",
    `
Examples:
  node scripts/record-trace.ts -o ls.lackey.zst -- ls -l /
  node scripts/record-trace.ts -o sort.lackey.zst --skip 2000000 --keep 1000000 -- sort words.txt
  npx shadewalk run --trace sort.lackey.zst --engine ept

valgrind has to be installed: apt-get install valgrind. Only the program itself is recorded, not what it
starts. About two million records a second are recorded; 15 bytes each, 0.3 bytes compressed.`,
  )
  .exitOverride()
  .configureOutput({ outputError: () => undefined });

try {
  await command.parseAsync();
  const [program, args] = command.processedArgs;
  const { out, skip, keep } = command.opts();
  const records = await record([program, ...args], { out, skip, keep: keep ?? recordsMax });
  console.error(`record-trace: ${records} records in ${out}`);
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exit(0);
  const { text, exitCode } = errorReport(error);
  console.error(text.replace(/^shadewalk:/, "record-trace:"));
  process.exitCode = exitCode;
}

function count(option: string): (text: string) => number {
  return wholeNumber(option, 0, recordsMax);
}

interface Window {
  readonly out: string;
  readonly skip: number;
  readonly keep: number;
}

/** Writes the trace under a temporary name first: a failed recording leaves no file behind. */
async function record(program: readonly string[], window: Window): Promise<number> {
  const { out } = window;
  const child = spawn(
    "valgrind",
    [
      "--tool=lackey",
      "--trace-mem=yes",
      "--trace-syscalls=yes",
      `--log-fd=${logDescriptor}`,
      "--",
      ...program,
    ],
    { stdio: ["inherit", "inherit", "inherit", "pipe"] },
  );
  const failure = new Promise<never>((_, reject) => child.once("error", reject));
  const log = child.stdio[logDescriptor];
  if (!(log instanceof Readable)) throw new Error("bug: record-trace: valgrind has no log");
  const progress = { records: 0 };
  const partial = `${out}.partial`;
  try {
    const kept = windowed(linesOf(log), { ...window, progress });
    const write = pipeline(kept, ...compressorFor(out), createWriteStream(partial));
    await Promise.race([write, failure]);
    await stop(child);
    if (progress.records === 0) throw nothingRecorded(program, window);
    await rename(partial, out);
  } catch (error) {
    await rm(partial, { force: true });
    throw isMissing(error) ? missingValgrind() : error;
  }
  return progress.records;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "path" in error && error.path === "valgrind";
}

function missingValgrind(): EnvironmentError {
  return new EnvironmentError("valgrind is not installed; get it with: apt-get install valgrind");
}

function nothingRecorded(program: readonly string[], { skip }: Window): ConfigError {
  const name = JSON.stringify(program[0]);
  return new ConfigError(`--skip ${skip}: program ${name} made no access after so many records`);
}

/** Ends what is left of the program once the window is full. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

function compressorFor(out: string) {
  if (out.endsWith(".gz")) return [createGzip({ level: 9 })];
  if (!out.endsWith(".zst")) return [];
  const params = {
    [constants.ZSTD_c_compressionLevel]: 19,
    [constants.ZSTD_c_windowLog]: zstdWindowLog,
    [constants.ZSTD_c_checksumFlag]: 1,
  };
  return [createZstdCompress({ params })];
}

/** Lines in groups, one group per piece of the stream. */
async function* linesOf(stream: Readable): AsyncGenerator<string[]> {
  let carry = "";
  for await (const piece of stream) {
    const lines = (carry + (piece as Buffer).toString("latin1")).split("\n");
    carry = lines.pop() ?? "";
    yield lines;
  }
  if (carry !== "") yield [carry];
}

interface Windowed extends Window {
  readonly progress: { records: number };
}

/** The set-up in front of the window, thinned, then the window. */
async function* windowed(
  groups: AsyncIterable<readonly string[]>,
  { skip, keep, progress }: Windowed,
): AsyncGenerator<string> {
  const touched = new Set<string>();
  let seen = 0;
  if (skip > 0) yield "==shadewalk== set-up\n";
  for await (const lines of groups) {
    let text = "";
    for (const line of lines) {
      if (!isRecord(line)) {
        if (changesMappings(line)) touched.clear();
        text += `${line.replace(/^(==|--|\*\*|SYSCALL\[)\d+/, "$11")}\n`;
        continue;
      }
      seen += 1;
      if (seen <= skip) {
        const page = pageOf(line);
        if (!touched.has(page)) text += `${line}\n`;
        touched.add(page);
        if (seen === skip) text += "==shadewalk== measure\n";
        continue;
      }
      progress.records += 1;
      text += `${line}\n`;
      if (progress.records === keep) {
        yield text;
        return;
      }
    }
    yield text;
  }
}

function isRecord(line: string): boolean {
  return line.startsWith(" L") || line.startsWith("I ") || / [SM] /.test(line.slice(0, 3));
}

/** After one of these a page touched before may be another. */
function changesMappings(line: string): boolean {
  return line.startsWith("SYSCALL[") && /sys_(?:mmap|munmap|mremap|mprotect|brk) /.test(line);
}

/** What a first touch is first for: the page, and whether it is a store. */
function pageOf(line: string): string {
  const kind = line.startsWith(" S") || line.startsWith(" M") ? "store" : "load";
  // An address without its last three digits is its page.
  return kind + line.slice(3, line.indexOf(",") - 3);
}
