/**
 * Nested tables beside a shadow: a frame that is a shadowed table is read-only in them, or nobody would see a nested space
 * store to it.
 */
import type { Gfn } from "../../machine/address.ts";
import type { LoggedTables } from "../../hypervisor/dirty/tracker.ts";
import type { Beside } from "../shadow/shadow-table.ts";

export class BesideNested implements Beside {
  /** A leaf grants less than silicon may have cached: a flush is due. */
  isStale = false;
  private readonly tables: Pick<LoggedTables, "splitHuge" | "writeProtect">;
  private readonly onUnshadowed: (gfn: Gfn) => void;

  constructor(
    tables: Pick<LoggedTables, "splitHuge" | "writeProtect">,
    onUnshadowed: (gfn: Gfn) => void,
  ) {
    this.tables = tables;
    this.onUnshadowed = onUnshadowed;
  }

  /** No walk goes from one kind of tables to the other. */
  isSwitched(): boolean {
    return false;
  }

  shadowed(gfn: Gfn): void {
    this.tables.splitHuge({ start: gfn, frames: 1 });
    this.tables.writeProtect(gfn);
    this.isStale = true;
  }

  /** The leaf stays read-only until the next store to it, which exits once. */
  unshadowed(gfn: Gfn): void {
    this.onUnshadowed(gfn);
  }
}
