/**
 * Which process this is, so that another one can find out later whether it still lives.
 *
 * A number alone is not enough: the system gives it to the next process, and after a start anew to somebody
 * else. Linux tells the boot, the container's number space and when a process started; elsewhere only a dead
 * number is certain.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

export interface ProcessIdentity {
  readonly host: string;
  /** Boot and number space; null where the system does not tell. */
  readonly boot: string | null;
  readonly pid: number;
  /** Clock ticks from boot to the process's start; null where the system does not tell. */
  readonly started: string | null;
}

export function ownProcess(): ProcessIdentity {
  const { pid } = process;
  return { host: hostname(), boot: ownBoot(), pid, started: startOf(pid) };
}

/** `unknown` where only time can tell: another host, boot or container, or no way to ask. */
export function isAlive({
  host,
  boot,
  pid,
  started,
}: ProcessIdentity): "alive" | "dead" | "unknown" {
  if (host !== hostname() || boot !== ownBoot()) return "unknown";
  if (!exists(pid)) return "dead";
  const now = startOf(pid);
  if (now === null || started === null) return "unknown";
  return now === started ? "alive" : "dead";
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process refuses the question, and so exists.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function ownBoot(): string | null {
  const boot = textOf("/proc/sys/kernel/random/boot_id");
  if (boot === null) return null;
  try {
    return `${boot.trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return null;
  }
}

/** Field 22 of /proc/PID/stat; the name before may hold blanks and parentheses, so the count starts behind it. */
function startOf(pid: number): string | null {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === null) return null;
  const [state, ...rest] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // A zombie is dead, although its parent has not asked yet.
  return state === "Z" ? "ended" : (rest[18] ?? null);
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
