/**
 * The files that a recorded guest boots from: an archive in memory, which Linux unpacks into its page cache.
 *
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst, the format `newc`.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { posix } from "node:path";

export interface GuestFile {
  /** In the guest, without a slash in front. */
  readonly path: string;
  readonly data: Uint8Array;
}

const directoryMode = 0o40755;
const programMode = 0o100755;
const alignment = 4;

/** The archive; folders above the files, and `folders`, come with it. */
export function initrdOf(files: readonly GuestFile[], folders: readonly string[]): Buffer {
  const above = files.flatMap(({ path }) => parentsOf(path));
  const directories = [...new Set([...folders, ...above])].toSorted();
  let inode = 0;
  return Buffer.concat([
    ...directories.map((path) => entry({ path, data: Buffer.alloc(0) }, directoryMode, ++inode)),
    ...files.map((file) => entry(file, programMode, ++inode)),
    entry({ path: "TRAILER!!!", data: Buffer.alloc(0) }, 0, 0),
  ]);
}

function parentsOf(path: string): string[] {
  const parent = posix.dirname(path);
  return parent === "." ? [] : [...parentsOf(parent), parent];
}

function entry({ path, data }: GuestFile, mode: number, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  const links = 1;
  // inode, mode, owner, group, links, time, size, four device numbers, length of the name, checksum
  const numbers = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const head = numbers.map((one) => one.toString(16).padStart(8, "0")).join("");
  return Buffer.concat([padded(Buffer.from(`070701${head}`), name), padded(data)]);
}

function padded(...parts: readonly Uint8Array[]): Buffer {
  const whole = Buffer.concat(parts);
  const rest = whole.length % alignment;
  return rest === 0 ? whole : Buffer.concat([whole, Buffer.alloc(alignment - rest)]);
}

/** Files of this machine at the same places in the guest, and the libraries that `ldd` says the programs need. */
export function withLibraries(paths: readonly string[]): GuestFile[] {
  const needed = paths.flatMap((path) => {
    const { stdout } = spawnSync("ldd", [path], { encoding: "utf8" });
    return Array.from((stdout ?? "").matchAll(/(\/\S+) \(0x/g), ([, library = ""]) => library);
  });
  return [...new Set([...paths, ...needed])].map((path) => ({
    path: posix.relative("/", posix.resolve(path)),
    data: readFileSync(path),
  }));
}
