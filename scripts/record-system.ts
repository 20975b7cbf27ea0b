#!/usr/bin/env node
/**
 * Records a whole Linux guest as a vmmu-trace: its kernel, its programs, every page-table store.
 *
 * QEMU emulates the guest; a plugin of ours (`recorder/`) sees every access and writes ops, which go through a pipe into the
 * compressor. The header comes last, for only then it is known which tables there were, and is put in front.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createReadStream, createWriteStream, globSync, mkdirSync, readFileSync } from "node:fs";
import { copyFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress, zstdCompressSync } from "node:zlib";
import { Command, CommanderError } from "@commander-js/extra-typings";
import { ConfigError, EnvironmentError, quote } from "../bench/input/config-error.ts";
import { wholeNumber } from "./commands/options.ts";
import { errorReport } from "./error-report.ts";
import { guardOutput } from "./guard-output.ts";
import {
  bootScript,
  guestFiles,
  guestFolders,
  type GuestMachine,
  machineOptions,
  recordingOptions,
} from "./recorder/guest.ts";
import { initrdOf, withLibraries } from "./recorder/initrd.ts";

const sources = join(import.meta.dirname, "recorder");
const qemu = "qemu-system-x86_64";
/** File descriptor of QEMU's on which the plugin writes ops. */
const opsDescriptor = 3;
/** Size of the zstd window, log2: a trace repeats itself over megabytes. */
const zstdWindowLog = 27;
const zstdLevel = 19;

guardOutput("record-system");

const command = new Command("record-system")
  .description("Boots a Linux guest in QEMU and records its commands, each a phase, as a trace.")
  .argument("<commands...>", "what the guest's shell runs, in quotes; each is a phase")
  .requiredOption("-o, --out <folder>", "folder for guest.trace.zst and what belongs to it")
  .option("--kernel <file>", "a Linux kernel (bzImage)", newestKernel())
  .option("--busybox <file>", "the guest's shell and tools, linked statically", "/bin/busybox")
  .option("--add <files...>", "programs of this machine for the guest, with their libraries")
  .option("--memory <mib>", "the guest's memory", wholeNumber("--memory", 64, 2048), 256)
  .option("--kpti", "the guest's kernel isolates its page tables", false)
  .option("--every-access", "drop no access: eight times the ops, to judge the filter by", false)
  .addHelpText(
    "after",
    `
Examples:
  node scripts/record-system.ts -o guest "true" "for i in 1 2 3 4; do /bin/true; done"
  node scripts/record-system.ts -o perl --add /usr/bin/perl -- "perl -e 'print 1'"
  npx shadewalk run --trace guest/guest.trace.zst -e shadow-lazy,ept

On Debian: apt-get install -t bookworm-backports qemu-system-x86; apt-get install busybox-static gcc libc6-dev
linux-image-cloud-amd64. QEMU has to be 9.2 or newer. docs/record-linux.md goes from an empty machine to the first chart.`,
  )
  .exitOverride()
  .configureOutput({ outputError: () => undefined });

try {
  command.parse();
  const { out, kernel, busybox, add = [], memory, kpti, everyAccess } = command.opts();
  if (kernel === undefined) {
    throw new ConfigError("--kernel: none in /boot; allowed: a Linux kernel (bzImage)");
  }
  const machine = { memoryMib: memory, kpti };
  const request = { out, kernel, busybox, add, machine, everyAccess };
  await record(request, command.processedArgs[0]);
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exit(0);
  const { text, exitCode } = errorReport(error);
  console.error(text.replace(/^shadewalk:/, "record-system:"));
  process.exitCode = exitCode;
}

function newestKernel(): string | undefined {
  return globSync("/boot/vmlinuz-*").toSorted().at(-1);
}

interface Request {
  readonly out: string;
  readonly kernel: string;
  readonly busybox: string;
  readonly add: readonly string[];
  readonly machine: GuestMachine;
  readonly everyAccess: boolean;
}

async function record(request: Request, commands: readonly string[]): Promise<void> {
  const { out, kernel, busybox, add, machine, everyAccess } = request;
  for (const file of [kernel, busybox, ...add]) readable(file);
  const version = qemuVersion();
  mkdirSync(out, { recursive: true });
  const plugin = join(out, "recorder.so");
  compile(
    plugin,
    ["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-fvisibility=hidden"],
    globSync("*.c", { cwd: sources })
      .toSorted()
      .filter((name) => name !== "mark.c"),
  );
  const mark = join(out, "mark");
  compile(mark, ["-static"], ["mark.c"]);
  const files = [
    { path: "busybox", data: readFileSync(busybox) },
    { path: "mark", data: readFileSync(mark) },
    ...guestFiles(commands),
    ...withLibraries([busybox, ...add]),
  ];
  await copyFile(kernel, join(out, "vmlinuz"));
  await writeFile(join(out, "initrd"), initrdOf(files, guestFolders));
  await writeFile(join(out, "boot"), bootScript(machine), { mode: 0o755 });
  const counts = await recordGuest(out, machine, everyAccess);
  const manifest = {
    recorder: "QEMU plugin",
    qemu: version,
    kernel,
    ...machine,
    commands,
    everyAccess,
    ...counts,
  };
  await writeFile(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
  console.error(
    `record-system: ${counts["listed"]} accesses listed of ${counts["loadsAndStores"]} loads and stores, ${counts["phases"]} phases in ${join(out, "guest.trace.zst")}`,
  );
}

function readable(file: string): void {
  try {
    readFileSync(file);
  } catch {
    throw new ConfigError(`${quote(file)}: must be a readable file`);
  }
}

function qemuVersion(): string {
  const { stdout, error } = spawnSync(qemu, ["--version"], { encoding: "utf8" });
  const [, version, major, minor] = /version ((\d+)\.(\d+)\S*)/.exec(stdout ?? "") ?? [];
  if (error !== undefined || version === undefined) {
    throw new EnvironmentError(
      `${qemu} is not installed; get it with: apt-get install -t bookworm-backports qemu-system-x86`,
    );
  }
  if (Number(major) * 100 + Number(minor) < 902) {
    throw new EnvironmentError(`${qemu} is ${version}: 9.2 or newer shows plugins what is stored`);
  }
  return version;
}

function compile(to: string, options: readonly string[], names: readonly string[]): void {
  const all = ["-O2", "-Wall", ...options, "-o", to, ...names.map((name) => join(sources, name))];
  const { error, status, stderr } = spawnSync("cc", all, { encoding: "utf8" });
  if (error !== undefined) {
    throw new EnvironmentError("cc is not installed; get it with: apt-get install gcc libc6-dev");
  }
  if (status !== 0) throw new EnvironmentError(`cc: ${stderr.split("\n")[0]}`);
}

type Counts = Readonly<Record<string, number>>;

/** Writes the trace under a temporary name first: a failed recording leaves none behind. */
async function recordGuest(
  out: string,
  machine: GuestMachine,
  everyAccess: boolean,
): Promise<Counts> {
  const at = (name: string) => join(out, name);
  const temporary = ["ops.partial", "header.partial", "counts.partial", "memory.partial"].map(at);
  const [ops = "", header = "", counts = "", memory = ""] = temporary;
  const places = `ram=${memory},fd=${opsDescriptor},header=${header},manifest=${counts}`;
  const plugin = `${at("recorder.so")},${places},every=${everyAccess ? 1 : 0}`;
  const child = spawn(
    qemu,
    [
      ...machineOptions(machine),
      ...recordingOptions(memory, machine),
      "-kernel",
      at("vmlinuz"),
      "-initrd",
      at("initrd"),
      "-plugin",
      plugin,
    ],
    { stdio: ["ignore", "pipe", "pipe", "pipe"] },
  );
  try {
    const { stdout, stderr } = child;
    const stream = child.stdio[opsDescriptor];
    if (!(stream instanceof Readable) || stdout === null || stderr === null)
      throw new Error("bug: record-system: QEMU has no pipe");
    const ended = exitOf(child);
    await Promise.all([
      pipeline(stream, compressor(), createWriteStream(ops)),
      pipeline(stdout, createWriteStream(at("console.txt"))),
      pipeline(stderr, createWriteStream(at("qemu.txt"))),
      ended,
    ]);
    if (!globSync(counts).length) throw nothingRecorded(at("console.txt"), at("qemu.txt"));
    const head = zstdCompressSync(readFileSync(header));
    await writeFile(at("guest.trace.zst.partial"), head);
    // One frame behind the other: zstd and this project's reader take them as one file.
    await pipeline(
      createReadStream(ops),
      createWriteStream(at("guest.trace.zst.partial"), { flags: "a" }),
    );
    await rename(at("guest.trace.zst.partial"), at("guest.trace.zst"));
    return JSON.parse(readFileSync(counts, "utf8")) as Counts;
  } finally {
    child.kill();
    for (const file of [...temporary, at("guest.trace.zst.partial")])
      await rm(file, { force: true });
  }
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => resolve());
  });
}

function compressor() {
  const params = {
    [constants.ZSTD_c_compressionLevel]: zstdLevel,
    [constants.ZSTD_c_windowLog]: zstdWindowLog,
    [constants.ZSTD_c_checksumFlag]: 1,
  };
  return createZstdCompress({ params });
}

function nothingRecorded(console: string, errors: string): EnvironmentError {
  const last = (file: string) => readFileSync(file, "utf8").trim().split("\n").at(-1) ?? "";
  return new EnvironmentError(
    `the guest told no phase; its last line: ${quote(last(console))}; QEMU's: ${quote(last(errors))}`,
  );
}
