/**
 * What a hypervisor guards first: the code of the guest's kernel, its frames and the pages that name them.
 */
import { ACC_EXEC } from "../machine/formats/x86-entry.ts";
import { kernelLayout, textPages } from "../guest/layout.ts";
import type { PolicyRule } from "../hypervisor/policy/rules.ts";
import type { Gfn, PagingLevels } from "../machine/address.ts";

/** All code of the kernel's: its text, and the entry area behind it. */
export const kernelCode: readonly PolicyRule[] = [
  { kind: "approve-frames", start: 0 as Gfn, frames: textPages.count + 1 },
];

/** Kernel text as the boot image lays it: frames 0 to 15, whatever the size of the page that maps them. */
export function kernelTextLock(levels: PagingLevels): PolicyRule[] {
  const first = 0 as Gfn;
  const { text } = kernelLayout(levels);
  const pages = textPages.count;
  return [
    { kind: "lock-frames", start: first, frames: pages },
    { kind: "lock-pages", start: text, pages, first, access: ACC_EXEC },
  ];
}
