/**
 * One process at a time writes an output folder: a lock that its owner's death opens.
 *
 * The lock is a small file that names its owner: host, boot, process and when that process started. On the
 * same host the system says whether the owner lives, exactly: a number given to another process, or a host
 * started anew, shows in the start. Of another host, which may share the folder, nothing can be asked; so
 * an owner writes a beat into its file every few seconds, and who wants the folder watches whether the beat
 * goes on. Only changes are looked at, never a time of day, so clocks may differ or jump.
 *
 * Not proper-lockfile: it knows an owner by the file's time alone, so that a killed one holds the folder for ten
 * seconds and a jump of the clock opens it.
 */
import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { EnvironmentError } from "../input/config-error.ts";
import { makeFolder, unwritable } from "./make-folder.ts";
import { isAlive, ownProcess } from "./process-identity.ts";

/** Held until `release`, or until the process ends in whatever way. */
export interface FolderLock {
  /** Throws an `EnvironmentError` if another process took the folder over, believing this one dead. */
  assertHeld(): void;
  release(): void;
}

export interface LockOptions {
  readonly folder: string;
  /** Part of the folder that is written, where parts have owners of their own. */
  readonly part?: string | undefined;
  /** Seconds between two beats, and for how long a beat may fail to come; shorter in tests. */
  readonly beatSeconds?: number;
  readonly watchSeconds?: number;
  /** Called with a line before the wait for a sign of life from another host. */
  readonly onWatch?: ((line: string) => void) | undefined;
}

const ownerSchema = z.strictObject({
  token: z.string(),
  host: z.string(),
  boot: z.string().nullable(),
  pid: z.int().min(1),
  started: z.string().nullable(),
});
type Owner = Readonly<z.infer<typeof ownerSchema>>;

/** Digits of the beat: always as many, so that it is written over in place, also on a full disk. */
const beatDigits = 12;

/** Takes the folder. Throws an `EnvironmentError` that names who has it. */
export async function lockFolder(options: LockOptions): Promise<FolderLock> {
  const { folder, part = "", beatSeconds = 5 } = options;
  const path = join(folder, `.${part}lock`);
  const owner = { token: randomUUID(), ...ownProcess() };
  const text = `${JSON.stringify(owner)}\n`;
  try {
    makeFolder(folder);
    while (!takeFree(path, text)) await clearDead(path, options);
  } catch (error) {
    if (error instanceof EnvironmentError) throw error;
    throw unwritable(folder, error);
  }
  let beats = 0;
  const beat = () => {
    beats += 1;
    writeBeat(path, text, beats);
  };
  const timer = setInterval(beat, 1000 * beatSeconds).unref();
  const isHeld = () => readText(path)?.startsWith(text) === true;
  const release = () => {
    clearInterval(timer);
    process.off("exit", release);
    if (isHeld()) rmSync(path, { force: true });
  };
  process.on("exit", release);
  return {
    release,
    assertHeld() {
      if (isHeld()) return;
      const other = ownerIn(readText(path) ?? "");
      const who = other === null ? "another process" : nameOf(other);
      throw new EnvironmentError(
        `output folder ${folder}: ${who} took it over, because this one seemed dead`,
      );
    },
  };
}

/** Whole or not at all, on network file systems too: the name appears with its content. */
function takeFree(path: string, text: string): boolean {
  const own = `${path}.${randomUUID()}`;
  try {
    writeFileSync(own, text + beatText(0), { flag: "wx" });
    linkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    // Some file systems know no links.
    if (codeOf(error) !== "EPERM" && codeOf(error) !== "ENOTSUP") throw error;
    return createNew(path, text + beatText(0));
  } finally {
    rmSync(own, { force: true });
  }
}

function createNew(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Returns when the lock that was there is gone. Throws while its owner lives. */
async function clearDead(path: string, options: LockOptions): Promise<void> {
  const text = readText(path);
  if (text === null) return;
  const owner = ownerIn(text);
  const state = owner === null ? "unknown" : isAlive(owner);
  if (state === "alive") throw busy(options.folder, owner);
  if (state === "unknown") await watch(path, owner, options);
  if (bodyOf(readText(path)) !== bodyOf(text)) return;
  // Moved away, not removed: of several that found it dead one gets it, and a successor's lock is put back.
  const away = `${path}.${randomUUID()}`;
  try {
    renameSync(path, away);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  if (bodyOf(readText(away)) !== bodyOf(text)) putBack(away, path);
  rmSync(away, { force: true });
}

/** A lock without its beat. */
const bodyOf = (text: string | null): string | undefined => text?.slice(0, -beatDigits);

/** A lock that was new already; if a third process was faster, the owner finds that out by `assertHeld`. */
function putBack(away: string, path: string): void {
  try {
    linkSync(away, path);
  } catch {
    if (readText(path) === null) renameSync(away, path);
  }
}

/** Throws as soon as the owner gives a sign of life; returns when it has given none for long enough. */
async function watch(path: string, owner: Owner | null, options: LockOptions): Promise<void> {
  const { folder, watchSeconds = 30, onWatch } = options;
  const who = owner === null ? "an unreadable lock" : nameOf(owner);
  onWatch?.(
    `output folder ${folder}: taken by ${who}; waiting up to ${watchSeconds} s for a sign of life`,
  );
  const before = readText(path);
  for (let looks = 0; looks < 10; looks++) {
    await sleep(100 * watchSeconds);
    const now = readText(path);
    if (now === null) return;
    if (now !== before) throw busy(folder, ownerIn(now));
  }
}

function busy(folder: string, owner: Owner | null): EnvironmentError {
  const who = owner === null ? "another process" : nameOf(owner);
  return new EnvironmentError(
    `output folder ${folder}: ${who} is writing it: wait until it ends, or choose another folder`,
  );
}

function nameOf({ host, pid }: Owner): string {
  return `process ${pid} on ${host}`;
}

function ownerIn(text: string): Owner | null {
  try {
    return ownerSchema.parse(JSON.parse(text.split("\n")[0] ?? ""));
  } catch {
    return null;
  }
}

/** Opened anew each time: only then does a network file system ask whether the file has changed. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

const beatText = (beats: number): string => String(beats).padStart(beatDigits, "0");

/** Only into our own file: the one that is read is the one that is written. */
function writeBeat(path: string, text: string, beats: number): void {
  try {
    const file = openSync(path, "r+");
    try {
      const found = Buffer.alloc(text.length);
      readSync(file, found, 0, text.length, 0);
      if (found.toString() === text) writeSync(file, beatText(beats), text.length);
    } finally {
      closeSync(file);
    }
  } catch {
    // A share that is away for a moment: `assertHeld` speaks when the lock is lost.
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
