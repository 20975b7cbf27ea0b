/**
 * A storm of stores to page tables, and nothing else: the guest's kernel turns W over in every entry of eight leaf
 * tables, through its direct map, pass after pass.
 *
 * Under trap-on-write shadow paging each store is an exit that is walked for, emulated and mirrored; lazy shadow
 * exits once per table, which then stays out of sync, for nobody flushes; other schemes never hear of them.
 */
import type { EngineName } from "../../engines/index.ts";
import { indexAt, type Vpn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import { withoutWrite } from "../../machine/formats/x86-entry.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { type Entry, tableBench } from "./table-bench.ts";

export interface StoreStorm {
  /** Turns every entry over, once per pass, and counts what that was. */
  readonly run: (passes: number) => Ledger;
  /** The entries as they are in the guest's memory. */
  readonly entries: () => readonly Entry[];
}

export function storeStorm(engine: EngineName, mmu: MmuFactory): StoreStorm {
  const { base, pages, map, tableOf, entryOf, during } = tableBench(engine, "skylake-sp", mmu);
  const vpns = Array.from({ length: pages }, (_, page) => (base + page) as Vpn);
  const tables = vpns.map((vpn) => tableOf(vpn, 1));
  const entries = (): Entry[] => vpns.map((vpn) => entryOf(vpn, 1));
  const before = entries();
  let isTurned = false;

  function pass(): void {
    isTurned = !isTurned;
    for (let page = 0; page < pages; page++) {
      const { low, high } = before[page]!;
      map.store(tables[page]!, indexAt(base + page, 1), isTurned ? withoutWrite(low) : low, high);
    }
  }

  return {
    entries,
    run: (passes) =>
      during(() => {
        for (let i = 0; i < passes; i++) pass();
      }),
  };
}
