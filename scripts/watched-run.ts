/**
 * The program in a process of its own, watched by the one that the user started.
 *
 * When the heap is full V8 prints a page of its own and aborts, and no code of the process can say anything better. So
 * the launcher reads what the program's process itself prints on descriptor 2, which is nothing in a good run, and
 * the program's own messages go past it to the user's standard error, which stays a terminal where it was one.
 * Signals are handed on, once: the program is in a session of its own, so that Ctrl-C does not reach it twice.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { getHeapStatistics } from "node:v8";
import { moveStderr } from "./user-stderr.ts";

/** Set for the watched process, which takes it out again: what it starts is not watched. */
const watchedVariable = "SHADEWALK_WATCHED";
/** Descriptor of the watched process that is the user's standard error. */
const userDescriptor = 3;

const isWindows = process.platform === "win32";
/** On Windows the console tells every process by itself. */
const forwarded: readonly NodeJS.Signals[] = isWindows ? [] : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Runs `entry` with this process's words; resolves when this process may end as the program did. */
export async function runWatched(entry: string): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, entry, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "pipe", 2, "ipc"],
    detached: !isWindows,
    env: { ...process.env, [watchedVariable]: "1" },
  });
  const crash = { text: "" };
  child.stderr?.on("data", (piece: Buffer) => passOn(piece.toString(), crash));
  const handlers = forwarded.map((signal) => [signal, () => void child.kill(signal)] as const);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  if (isWindows) process.on("SIGINT", () => undefined);
  else haltTogether(child);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (...how) => resolve(how));
    },
  );
  // A process that the program left behind may keep the pipe open for ever.
  if (child.stderr?.readableEnded === false) {
    await Promise.race([new Promise((end) => child.stderr?.once("end", end)), sleep(200)]);
  }
  const advice = memoryAdvice(code, signal, crash.text);
  process.stderr.write(advice ?? crash.text);
  for (const [name, handler] of handlers) process.off(name, handler);
  if (advice !== null) process.exit(1);
  if (signal === null) process.exit(code ?? 1);
  // Whoever started us shall see the same end.
  process.kill(process.pid, signal);
  await sleep(1000);
  process.exit(128 + constants.signals[signal]);
}

/** How a process ends that finds itself broken. */
const crashSignals: readonly NodeJS.Signals[] = ["SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV"];

/** How the last words of Node, of V8 and of the C++ library begin. */
const lastWords =
  /\n?<--- Last few GCs|^FATAL ERROR: |^#\n# Fatal|^terminate called |\n?----- Native/m;

/** Is this the watched process? Then its messages go to the user from now on, and it ends with its launcher. */
export function beWatched(): boolean {
  if (process.env[watchedVariable] === undefined) return false;
  delete process.env[watchedVariable];
  moveStderr(userDescriptor);
  // Without the launcher nobody reads or stops this process any more.
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  process.channel?.unref();
  return true;
}

/** Everything but V8's last words, which are kept. */
function passOn(text: string, crash: { text: string }): void {
  const start = crash.text === "" ? text.search(lastWords) : 0;
  if (start < 0) process.stderr.write(text);
  else {
    process.stderr.write(text.slice(0, start));
    crash.text += text.slice(start);
  }
}

/** Ctrl-Z and `fg` halt and continue both. */
function haltTogether(child: ReturnType<typeof spawn>): void {
  process.on("SIGTSTP", () => {
    child.kill("SIGSTOP");
    process.kill(process.pid, "SIGSTOP");
  });
  process.on("SIGCONT", () => void child.kill("SIGCONT"));
}

const further =
  "take fewer or smaller points, a shorter trace, or fewer --workers; a sweep keeps what is finished, --resume runs the rest";

function memoryAdvice(
  code: number | null,
  signal: NodeJS.Signals | null,
  crash: string,
): string | null {
  const isCrashed = code === 134 || (signal !== null && crashSignals.includes(signal));
  if (isCrashed && /heap limit|heap out of memory/.test(crash)) {
    const limit = Math.round(getHeapStatistics().heap_size_limit / 2 ** 20);
    return (
      `shadewalk: out of memory: the heap of ${limit} MB is full: ` +
      `give it more, as in NODE_OPTIONS=--max-old-space-size=${2 * limit}, or ${further}\n`
    );
  }
  if (isCrashed && /out of memory|bad_alloc|Allocation failed/i.test(crash)) {
    return `shadewalk: out of memory: the system gives this process no more: ${further}\n`;
  }
  if (signal !== "SIGKILL") return null;
  return `shadewalk: killed, as the system does when the machine runs out of memory: ${further}\n`;
}
