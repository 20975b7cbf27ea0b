/** Image of the first process, in pages. */
export const initPages = 8;

/**
 * Processes: an address space, a kernel stack, a program image.
 *
 * Source: Linux fs/exec.c (begin_new_exec, setup_arg_pages), kernel/fork.c (dup_task_struct).
 */
import type { Gfn } from "../machine/address.ts";
import type { AddressSpace } from "./address-space.ts";
import { imageCodePages, type Pid } from "./guest.ts";
import { stackPages, type UserLayout } from "./layout.ts";

export interface Process {
  readonly pid: Pid;
  /** Kernel stack. Model: one frame, the one on top of the four that gets used. Bias: none. */
  readonly stack: Gfn;
  space: AddressSpace;
}

/** A program of `pages` pages is always the same file, so its second exec finds it in the page cache. */
const imageFileBase = 0x4000_0000;

/** The regions of a fresh program: code, data (private copies of the file), stack. */
export function mapImage(
  { vmas }: AddressSpace,
  pages: number,
  { image, stackEnd }: UserLayout,
): void {
  const code = imageCodePages(pages);
  const file = imageFileBase + pages;
  const program = { huge: false, signals: null, file };
  vmas.insert({
    ...program,
    start: image,
    end: image + code,
    access: "read",
    executable: true,
    filePage: 0,
  });
  if (pages > code) {
    vmas.insert({
      ...program,
      start: image + code,
      end: image + pages,
      access: "read-write",
      executable: false,
      filePage: code,
    });
  }
  vmas.insert({
    start: stackEnd - stackPages,
    end: stackEnd,
    access: "read-write",
    executable: false,
    huge: false,
    signals: null,
    file: null,
    filePage: 0,
  });
}
