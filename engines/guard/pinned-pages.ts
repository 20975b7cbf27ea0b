/**
 * HLAT: locked pages have tables of the hypervisor's, which silicon walks before those that the guest has loaded.
 *
 * Buys: what the guest's own tables say of a locked page has no effect, and nobody has to look at them: no exit. Pays: a
 * walk for any other page in the same half reads these tables until one sends it back to the guest's.
 *
 * The tables lie in guest-physical memory, above the guest's own, and EPT grants reading alone. EPT's A and D bits stay
 * off: with them on, every walk through a protected table counts as a store to it. With paging-write control these tables
 * are the only ones that have its bit, so a frame that asks for it is reached through them alone: guest-paging
 * verification.
 *
 * Source: SDM vol. 3A 4.5 "HLAT Paging"; S. Tanda, "Intel VT-rp"; Windows HVPT.
 */
import { entriesPerTable, type Gfn, indexAt, type PagingLevels } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { Controls } from "../../machine/controls.ts";
import { frameOf, nxFor, pageFor, userPage, withPresent } from "../../machine/formats/x86-entry.ts";
import { ept } from "../../machine/formats/ept.ts";
import { HLAT_RESTART } from "../../machine/formats/x86.ts";
import { twoStagesAsking } from "../../machine/stages.ts";
import type { LockedPage } from "../../hypervisor/policy/page-locks.ts";
import { findPlace, makePlace } from "../../hypervisor/tables/radix.ts";
import type { CreateGuard, Guard, GuardParts } from "./guard.ts";

const readOnly = ept.leaf & ~ept.write & ~ept.execute;

export interface PinOptions {
  /** Are addresses of the lower half none of these tables' business? No page there may be locked, then. */
  readonly upperHalfOnly: boolean;
  /** Can a frame ask that these tables led to it? */
  readonly verifies?: boolean;
}

export function pinnedPages(options: PinOptions): CreateGuard {
  return (parts) => createPins(parts, options);
}

function createPins(parts: GuardParts, { upperHalfOnly }: PinOptions): Guard {
  const { tree, memory, policy, vcpus, controls } = parts;
  const bytes = tree.memory;
  const roots = new Map<PagingLevels, Gfn>();
  let next = memory.frames as Gfn;

  /** A table that sends every walk back. */
  function createTable(): Gfn {
    const gfn = next;
    next = (next + 1) as Gfn;
    const pfn = bytes.allocateTable();
    for (let index = 0; index < entriesPerTable; index++)
      bytes.write(pfn, index, withPresent(HLAT_RESTART), 0);
    const { table, index } = makePlace(tree, gfn, 1);
    bytes.writeEntry(table, index, pfn, readOnly, tree.format.pagingWriteHigh);
    return gfn;
  }

  function placeOf(gfn: Gfn) {
    const { table, index } = findPlace(tree, gfn);
    return frameOf(bytes.readLow(table, index), bytes.readHigh(table, index)) as typeof table;
  }

  function pin(root: Gfn, levels: PagingLevels, vpn: number, { gfn, access }: LockedPage): void {
    assert(gfn !== null, "hlat: a page whose frame is the guest's choice cannot be pinned");
    const isUpper = Math.floor(vpn / 2 ** (9 * levels - 1)) % 2 === 1;
    assert(isUpper || !upperHalfOnly, () => `hlat: vpn 0x${vpn.toString(16)} is in the lower half`);
    let table = placeOf(root);
    for (let level: number = levels; level > 1; level--) {
      const index = indexAt(vpn, level);
      const low = bytes.readLow(table, index);
      if ((low & HLAT_RESTART) !== 0) bytes.writeEntry(table, index, createTable(), userPage);
      const child = frameOf(bytes.readLow(table, index), bytes.readHigh(table, index)) as Gfn;
      table = placeOf(child);
    }
    bytes.writeEntry(table, indexAt(vpn, 1), gfn, pageFor(access), nxFor(access));
  }

  function rootFor(levels: PagingLevels): Gfn {
    const known = roots.get(levels);
    if (known !== undefined) return known;
    const root = createTable();
    roots.set(levels, root);
    for (const [vpn, page] of policy.pages.entries()) pin(root, levels, vpn, page);
    return root;
  }

  const nested = controls.stages(4).at(-1)!;
  const asking: Controls = {
    ...controls,
    stages: twoStagesAsking(nested, (levels) => ({
      root: rootFor(levels),
      restartBit: HLAT_RESTART,
      upperHalfOnly,
    })),
  };

  return {
    pinsPages: true,
    // Without a locked page there is nothing to ask about, and no table.
    boot: (vcpu) => vcpu.setControls(hasPages(parts) ? asking : controls),
    renew() {
      for (const [levels, root] of roots) {
        for (const [vpn, page] of policy.pages.entries()) pin(root, levels, vpn, page);
      }
      for (const vcpu of vcpus) vcpu.setControls(hasPages(parts) ? asking : controls);
    },
    answer: () => null,
  };
}

function hasPages({ policy }: GuardParts): boolean {
  return policy.rules.some(({ kind }) => kind === "lock-pages");
}
