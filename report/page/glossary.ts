/**
 * Words of the trade, explained where they stand: the first time that each occurs in a text.
 */
import { html, type Html } from "./html.ts";

/** Longer terms first: `EPT violation` is no `EPT`. */
const terms: readonly (readonly [term: string, meaning: string])[] = [
  [
    "EPT violations",
    "exits because the nested tables have no entry yet, or not the right to write",
  ],
  [
    "EPT violation",
    "an exit because the nested tables have no entry yet, or not the right to write",
  ],
  [
    "page-table isolation",
    "KPTI: the kernel runs on tables of its own, so each system call reads and loads CR3 twice",
  ],
  ["page-walk caches", "caches of upper table entries: a walk that hits one starts further down"],
  ["virtual TLB", "shadow tables that are thrown away at each CR3 load, as a TLB would be"],
  ["trap on write", "the guest's tables are read-only, so each store to them exits at once"],
  ["lazy shadow", "KVM's way: a table that the guest writes may go stale until the guest flushes"],
  ["dirty log", "the list of pages that a guest has written, which live migration needs"],
  ["VM exits", "switches from the guest to the hypervisor and back, some 2,000 cycles each"],
  ["VM exit", "the switch from the guest to the hypervisor and back, some 2,000 cycles"],
  ["INVLPG", "the instruction that drops one page from the TLB"],
  ["INVPCID", "the instruction that drops a tagged address space, or a page of it, from the TLB"],
  ["KPTI", "kernel page-table isolation: each system call reads and loads CR3 twice"],
  ["PCID", "a tag per address space, so that loading CR3 need not flush the TLB"],
  ["VPID", "a tag per virtual processor, so that an exit need not flush the TLB"],
  ["vTLB", "shadow tables that are thrown away at each CR3 load, as a TLB would be"],
  [
    "CR3",
    "the register that names the root of the guest's tables; loading it changes the address space",
  ],
  ["PTEs", "entries of the lowest page tables: each maps one page of 4 KiB"],
  ["PTE", "an entry of the lowest page table: it maps one page of 4 KiB"],
  ["TLB", "the processor's cache of finished translations; a miss makes it walk the tables"],
  ["EPT", "Intel's nested paging: the processor walks the guest's tables and the hypervisor's"],
  ["NPT", "AMD's nested paging: the processor walks the guest's tables and the hypervisor's"],
  ["PML", "page-modification logging: the processor writes down which pages the guest has written"],
  ["#PF", "a page fault"],
];
const meanings = new Map(terms);
const pattern = new RegExp(`(?<![\\w-])(${terms.map(([term]) => term).join("|")})(?![\\w-])`, "g");

/** The text with each term, once, marked and explained. */
export function glossed(text: string): Html {
  const seen = new Set<string>();
  const pieces: Html[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    const [term] = match;
    if (seen.has(term)) continue;
    seen.add(term);
    pieces.push(html`${text.slice(from, match.index)}`);
    pieces.push(html`<abbr title="${meanings.get(term) ?? ""}">${term}</abbr>`);
    from = match.index + term.length;
  }
  return html`${pieces}${text.slice(from)}`;
}
