/**
 * What a lackey log says besides accesses, and the accesses themselves as columns.
 *
 * With `--trace-syscalls=yes` valgrind writes each system call into the same log, in program order:
 *
 *     SYSCALL[123,1](9) sys_mmap ( 0x0, 8192, 3, 34, 4294967295, 0 ) --> [pre-success] Success(0x4835000)
 *     SYSCALL[123,1](11) sys_munmap ( 0x483c000, 34547 )[sync] --> Success(0x0)
 *     SYSCALL[123,1](0) sys_read ( 4, 0x1ffeffee28, 832 ) --> [async] ...
 *     SYSCALL[123,1](0) ... [async] --> Success(0x340)
 */
import type { Vpn } from "../../machine/address.ts";

/** One thing that a program's kernel did; applied between two accesses. */
export type LackeyEvent =
  | {
      readonly kind: "map";
      readonly vpn: Vpn;
      readonly pages: number;
      readonly access: "none" | "read" | "read-write";
      /** Number of a file of its own, or null for anonymous memory. */
      readonly file: number | null;
    }
  | { readonly kind: "unmap"; readonly vpn: Vpn; readonly pages: number }
  | {
      readonly kind: "protect";
      readonly vpn: Vpn;
      readonly pages: number;
      readonly access: "none" | "read" | "read-write";
    }
  /** A system call that changes no mapping. */
  | { readonly kind: "syscall" }
  /** Set-up ends: a window of a longer recording starts. */
  | { readonly kind: "measure" };

/** Accesses as columns. Plain data: threads can share it, for its arrays lie in shared memory. */
export interface AccessChunk {
  readonly length: number;
  /** Bits 31..0 of the GVA, or the index of an event. */
  readonly low: Int32Array;
  /** Bits 46..32 of the GVA, and what it is in the top three bits. */
  readonly high: Int32Array;
  readonly events: readonly LackeyEvent[];
}

export const storeBit = 0x8000_0000 | 0;
export const fetchBit = 0x4000_0000;
/** The entry is event number `low`. */
export const eventBit = 0x2000_0000;
export const addressMask = 0x1fff_ffff;

const protWrite = 2;
const protRead = 1;
const mapAnonymous = 0x20;

/** A system call as valgrind prints it. */
interface SystemCall {
  readonly name: string;
  readonly args: readonly number[];
  /** What it returned, or null when it failed or its result is not on this line. */
  readonly result: number | null;
}

/** Null for a line that completes an earlier one. */
export function parseSystemCall(text: string): SystemCall | null {
  if (!/^SYSCALL\[\d+,\d+\]\(\s*\d+\)/.test(text) || /\)\s*\.\.\. /.test(text)) return null;
  const call = /\) (?:sys_)?(\w+)\s*\(([^)]*)\)/.exec(text);
  const result = /Success\(0x([0-9a-f]+)/.exec(text)?.[1];
  return {
    name: call?.[1] ?? "unknown",
    args: (call?.[2] ?? "").split(",").map(Number),
    result: result === undefined ? null : Number.parseInt(result, 16),
  };
}

/** What system calls did to the address space, call by call. */
export class SystemCallReader {
  private programBreak = 0;
  private files = 0;

  /** Number for a file that nothing else maps. */
  nextFile(): number {
    this.files += 1;
    return this.files;
  }

  events(call: SystemCall): LackeyEvent[] {
    const done = call.result === null ? [] : this.changes(call, call.result);
    // A call that changes no mapping still enters and leaves the kernel.
    return done.length === 0 ? [{ kind: "syscall" }] : done;
  }

  private changes({ name, args }: SystemCall, result: number): LackeyEvent[] {
    const [first = 0, second = 0, third = 0, fourth = 0] = args;
    switch (name) {
      case "mmap": {
        const file = (fourth & mapAnonymous) === 0 ? this.nextFile() : null;
        return mapping(range(result, result + second), accessOf(third), file);
      }
      case "munmap":
        return unmapping(range(first, first + second));
      case "mprotect":
        return protection(range(first, first + second), accessOf(third));
      case "mremap":
        return moved({ old: first, oldBytes: second, bytes: third, now: result });
      case "brk":
        return this.moveBreak(result);
      default:
        return [];
    }
  }

  /** The heap grows or shrinks; the first call only asks where it ends. */
  private moveBreak(now: number): LackeyEvent[] {
    const before = this.programBreak;
    this.programBreak = now;
    if (before === 0) return [];
    if (now > before) return mapping(behind(before, now), "read-write", null);
    return unmapping(behind(now, before));
  }
}

interface PageRange {
  readonly vpn: Vpn;
  readonly pages: number;
}

/** Pages that [from, to) touches. */
function range(from: number, to: number): PageRange {
  const first = Math.floor(from / 4096);
  return { vpn: first as Vpn, pages: Math.ceil(to / 4096) - first };
}

/** Pages of [from, to) that do not belong to what ends at `from`. */
function behind(from: number, to: number): PageRange {
  const first = Math.ceil(from / 4096);
  return { vpn: first as Vpn, pages: Math.ceil(to / 4096) - first };
}

function accessOf(prot: number): "none" | "read" | "read-write" {
  if ((prot & protWrite) !== 0) return "read-write";
  // Execute-only memory can be read on x86, so anything but PROT_NONE is readable.
  return prot >= protRead ? "read" : "none";
}

function mapping(
  pages: PageRange,
  access: "none" | "read" | "read-write",
  file: number | null,
): LackeyEvent[] {
  return pages.pages > 0 ? [{ kind: "map", ...pages, access, file }] : [];
}

function unmapping(pages: PageRange): LackeyEvent[] {
  return pages.pages > 0 ? [{ kind: "unmap", ...pages }] : [];
}

function protection(pages: PageRange, access: "none" | "read" | "read-write"): LackeyEvent[] {
  return pages.pages > 0 ? [{ kind: "protect", ...pages, access }] : [];
}

interface Remap {
  readonly old: number;
  readonly oldBytes: number;
  readonly bytes: number;
  readonly now: number;
}

/**
 * Model: a moved mapping is filled anew on demand; Linux moves its entries. Bias: for EPT, because the faults
 * that refill it exit under shadow paging.
 */
function moved({ old, oldBytes, bytes, now }: Remap): LackeyEvent[] {
  if (now !== old) {
    return [
      ...unmapping(range(old, old + oldBytes)),
      ...mapping(range(now, now + bytes), "read-write", null),
    ];
  }
  if (bytes > oldBytes) return mapping(behind(now + oldBytes, now + bytes), "read-write", null);
  return unmapping(behind(now + bytes, now + oldBytes));
}
