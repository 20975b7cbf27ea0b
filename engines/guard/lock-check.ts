/**
 * Do the guest's own tables lead every locked page to its frame, with no more rights than its lock allows?
 *
 * A page that they do not map breaks no lock: what is not there means nothing else.
 */
import { type Gfn, indexAt, pagesPerEntry } from "../../machine/address.ts";
import { accessOf, frameOf, isLarge, isPresent } from "../../machine/formats/x86-entry.ts";
import type { LockedPage } from "../../hypervisor/policy/page-locks.ts";
import type { GuardParts } from "./guard.ts";
import type { GuardedTable } from "./guarded-tables.ts";

type Parts = Pick<GuardParts, "memory" | "policy">;

interface Entry {
  readonly low: number;
  readonly high: number;
}

/** The tables below this root. */
export function leadsRight(parts: Parts, root: Gfn, levels: number): boolean {
  for (const [vpn, page] of parts.policy.pages.entries()) {
    if (!leadsPage(parts, { table: root, level: levels }, vpn, page)) return false;
  }
  return true;
}

/** Would they still, with this entry at `index` of a table? */
export function wouldLeadRight(
  parts: Parts,
  { level, role }: GuardedTable,
  index: number,
  entry: Entry,
): boolean {
  const { pages } = parts.policy;
  const first = pages.pageAt(role, index * pagesPerEntry(level));
  if (first < 0) return true;
  for (const [vpn, page] of pages.entries()) {
    if (vpn < first || vpn >= first + pagesPerEntry(level)) continue;
    if (!entryLeads(parts, { level, entry }, vpn, page)) return false;
  }
  return true;
}

function leadsPage(
  parts: Parts,
  { table, level }: { readonly table: Gfn; readonly level: number },
  vpn: number,
  page: LockedPage,
): boolean {
  // Memory that the guest has not is nothing that a walk gets through.
  if (table >= parts.memory.frames) return true;
  // Where no memslot is, one may come, with a table in it that nobody has looked at.
  if (parts.memory.isHole(table)) return false;
  const index = indexAt(vpn, level);
  const low = parts.memory.readLow(table, index);
  const high = parts.memory.readHigh(table, index);
  return entryLeads(parts, { level, entry: { low, high } }, vpn, page);
}

function entryLeads(
  parts: Parts,
  { level, entry: { low, high } }: { readonly level: number; readonly entry: Entry },
  vpn: number,
  page: LockedPage,
): boolean {
  if (!isPresent(low)) return true;
  const frame = frameOf(low, high);
  if (level > 1 && !isLarge(low)) {
    return leadsPage(parts, { table: frame as Gfn, level: level - 1 }, vpn, page);
  }
  const span = pagesPerEntry(level);
  const gfn = frame - (frame % span) + (vpn % span);
  // The leaf alone: upper levels may take rights, and a lock must not depend on what they say.
  const rights = accessOf(low, high);
  return (page.gfn === null || gfn === page.gfn) && (rights & ~page.access) === 0;
}
