/**
 * An instruction-set architecture, as far as address translation feels it.
 *
 * Software above silicon (the guest's kernel, the oracle) thinks of an entry of the guest's tables in one way, x86-64's:
 * words of `machine/formats/x86-entry.ts` and a frame above bit 12, as Linux's generic code thinks of entries in one set of words on
 * every machine. An ISA turns that into the bytes that its silicon walks, and back. PS there means "a leaf", at level 1
 * too once it is read; `PROTNONE` (G without P) is a page that nobody may touch.
 */
import type { PagingLevels } from "../address.ts";
import type { Stage } from "../stages.ts";

export interface Isa {
  readonly name: string;
  /** Depths that its tables may have. */
  readonly levels: readonly PagingLevels[];
  /** Does its kernel have tables of its own for user mode (KPTI)? */
  readonly hasKpti: boolean;
  /** Must an entry that leads elsewhere be invalid, and fenced, before another takes its place? */
  readonly breaksBeforeMake: boolean;
  /** Does silicon set A and D in the guest's tables, or refuse accesses that would? */
  readonly marks: "silicon" | "software";
  /** The guest's tables at host frames; a hypervisor's second stage is its own affair. */
  stage(levels: number): Stage;
  /** Low half of a leaf, and its high half. */
  leafLow(low: number, high: number): number;
  leafHigh(low: number, high: number): number;
  /** Low half of an entry that points to a table, and its high half. */
  linkLow(low: number, high: number): number;
  linkHigh(low: number, high: number): number;
  /** What the bytes say, as x86-64 would. */
  readLow(low: number, high: number): number;
  readHigh(low: number, high: number): number;
}
