/**
 * Stores of a guest to tables of its own that are shadowed: done for it and mirrored, as long as they are tables.
 */
import type { Gfn, Vpn } from "../../machine/address.ts";
import type { PendingStore } from "../../machine/exits.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import { isReachable } from "./reachable.ts";
import type { ShadowTable } from "./shadow-table.ts";
import type { ShadowTables } from "./tables.ts";

interface TableStoresParts {
  readonly tables: ShadowTables;
  /** Does a vCPU run on it? */
  readonly isRoot: (table: ShadowTable) => boolean;
  /** Told of each frame that is stored to. */
  readonly wrote: (gfn: Gfn, vcpu: VirtualCpu) => void;
}

/** The access that exited; its `store` is none of null. */
export interface StoreExit {
  readonly vpn: Vpn;
  readonly store: PendingStore | null;
}

export class TableStores {
  private readonly parts: TableStoresParts;

  constructor(parts: TableStoresParts) {
    this.parts = parts;
  }

  /**
   * Makes the store to `gfn`, which is a shadowed table. False if it is none any more: then the guest may store by itself.
   */
  take(exit: StoreExit, vcpu: VirtualCpu, gfn: Gfn): boolean {
    if (!this.isTableStill(exit, gfn)) return false;
    const { tables, wrote } = this.parts;
    vcpu.emulateStore(exit, gfn);
    wrote(gfn, vcpu);
    const { store } = exit;
    if (store === null || store.kind === "data") return true;
    vcpu.ledger.emulatedPteWrites += 1;
    for (const table of tables.set.of(gfn)) {
      if (store.kind === "entry") tables.mirror(table, store.index);
      else tables.mirrorAll(table);
    }
    return true;
  }

  /**
   * A store of data, or of a whole page, to a frame that no running root reaches: it has been freed and
   * reused. It stops being a table, or every store to it would exit for ever.
   */
  private isTableStill({ store }: StoreExit, gfn: Gfn): boolean {
    if (store !== null && store.kind === "entry") return true;
    const { tables, isRoot } = this.parts;
    if (isReachable(tables, gfn, isRoot)) return true;
    tables.unshadow(gfn);
    return false;
  }
}
