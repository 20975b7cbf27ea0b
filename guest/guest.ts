/**
 * What a workload can do: the system-call surface of the guest operating system.
 */
import type { Vpn } from "../machine/address.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";

/** A process of the guest. */
export type Pid = number & { readonly pid: unique symbol };

export interface MapOptions {
  /** `populate` maps every page now; `demand` leaves that to the #PF handler. */
  readonly fill: "populate" | "demand";
  /** Ask for transparent 2 MiB pages. */
  readonly pages: "4k" | "2m";
  readonly writable: boolean;
  /** Code may be fetched from it. */
  readonly executable?: boolean;
  /** Number of a file, mapped privately from its first page on; absent: anonymous memory. */
  readonly file?: number;
  /** The program's signal handler for a forbidden access; absent: the program makes none. */
  readonly onForbidden?: SignalHandler;
}

/**
 * `unprotect`: it makes the page readable and writable with a system call of its own and returns, as page-protecting
 * garbage collectors do. `skip`: it returns behind the access.
 */
export type SignalHandler = "unprotect" | "skip";

/** A program's image has its code first (half of the pages, rounded up), its writable data behind: where that begins. */
export function imageDataVpn({ image }: Pick<Guest, "image">, pages: number): Vpn {
  return (image + imageCodePages(pages)) as Vpn;
}

export function imageCodePages(pages: number): number {
  return Math.ceil(pages / 2);
}

/** The system calls and instructions of a program. Fifteen methods at most. A workload never learns which engine runs it. */
export interface Guest {
  /** Where the first process and `exec` place the program. */
  readonly image: Vpn;
  /** mmap of `pages` 4 KiB pages; returns the first page. */
  map(pages: number, options: MapOptions): Vpn;
  /** mmap at a given page, for replayed system calls. Replaces what was mapped there. */
  mapAt(vpn: Vpn, pages: number, options: MapOptions): void;
  unmap(vpn: Vpn, pages: number): void;
  protect(vpn: Vpn, pages: number, access: "none" | "read" | "read-write"): void;

  read(vpn: Vpn, offset?: number): void;
  write(vpn: Vpn, offset?: number): void;
  fetch(vpn: Vpn, offset?: number): void;
  /** Counts `ops` units of computation; costs nothing but a count. */
  compute(ops: number): void;

  /** The running process forks; the child is runnable, the parent goes on. */
  fork(): Pid;
  /** The running process replaces its address space by a fresh one of `pages` code and data pages. */
  exec(pages: number): void;
  /** The running process ends; `next` runs on. */
  exit(next: Pid): void;
  /** Context switch. */
  switchTo(pid: Pid): void;
  /** A system call that does nothing but enter and leave the kernel. */
  syscall(): void;
  /** Something the host does to this guest now (dirty logging, reclaim). Returns how many frames it reports. */
  host(event: HostEvent): number;
  /** Set-up ends here: what follows is the measured region. */
  measure(): void;
}
