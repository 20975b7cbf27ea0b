/**
 * A guest that keeps the manual's rules: every change of a present entry is flushed, on every vCPU, before
 * anything can use it. So each access has exactly one right answer and the oracle accepts no other.
 *
 * It still does everything that a kernel does: maps, protects, remaps, splits and collapses 2 MiB pages,
 * ages A/D bits, copies on write, switches spaces with and without PCID, moves whole tables, gives memory
 * back to the host.
 *
 * Source: SDM vol. 3A 4.10.4.2 "Recommended Invalidation", 4.10.4.1 on pages cached in fragments.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import {
  asLarge,
  freshPage,
  isWritable,
  noExecute,
  withAccessed,
  withDirty,
  withPresent,
  withUser,
  withWrite,
  withoutMarks,
  withoutWrite,
} from "../../machine/formats/x86-entry.ts";
import { anyDirtyLogEvent } from "./dirty-log-events.ts";
import { firstData, type Space, tableKey } from "./guest-image.ts";
import type { GuestScript } from "./guest-script.ts";
import { sharingEvent } from "./sharing-event.ts";
import { type Entry, entryTo, notPresent } from "./program.ts";

type Act = (script: GuestScript) => void;

const acts: Readonly<Record<string, Act>> = {
  run: (script) => {
    const length = 1 + script.prng.below(48);
    for (let i = 0; i < length; i++) {
      const kind = script.pick(["read", "read", "write", "fetch"] as const);
      script.access(kind, script.pick(script.guest.userPages));
    }
  },
  remap: (script) => changeLeaf(script, leafEntry(script)),
  unmap: (script) => changeLeaf(script, notPresent),
  protect: (script) => {
    const { space, vpn } = anyPlace(script);
    const table = leafTable(space, vpn);
    if (table === undefined) return;
    const { low, high } = script.entry(table, indexAt(vpn, 1));
    const flipped = isWritable(low) ? withoutWrite(low) : withWrite(low);
    script.store(table, indexAt(vpn, 1), { low: flipped, high });
    flushPage(script, space, vpn);
  },
  age: (script) => {
    const space = script.pick(script.guest.spaces);
    for (const vpn of script.guest.userPages) {
      const table = leafTable(space, vpn);
      if (table === undefined) continue;
      const { low, high } = script.entry(table, indexAt(vpn, 1));
      script.store(table, indexAt(vpn, 1), { low: withoutMarks(low), high });
    }
    flushSpace(script, space);
  },
  copyOnWrite: (script) => {
    const { space, vpn } = anyPlace(script);
    const table = leafTable(space, vpn);
    if (table === undefined) return;
    const to = anyData(script);
    script.copy(to, anyData(script));
    script.store(table, indexAt(vpn, 1), entryTo(to, freshPage));
    flushPage(script, space, vpn);
  },
  large: (script) => {
    const { space, vpn } = anyPlace(script);
    const directory = space.tables.get(tableKey(2, vpn));
    if (directory === undefined) return;
    const flags = script.prng.chance(70) ? freshPage : withoutWrite(freshPage);
    script.store(directory, indexAt(vpn, 2), entryTo(script.pick([1024, 1536]), asLarge(flags)));
    // What was there may have been a table: every page below it may be cached.
    flushSpace(script, space);
  },
  largeAndBack: (script) => {
    const { space, vpn } = anyPlace(script);
    const directory = space.tables.get(tableKey(2, vpn));
    const table = leafTable(space, vpn);
    if (directory === undefined || table === undefined) return;
    const large = entryTo(script.pick([1024, 1536]), asLarge(freshPage));
    script.load(space.root, space.pcid, true);
    script.store(directory, indexAt(vpn, 2), large);
    flushSpace(script, space);
    for (const near of script.guest.userPages) script.access("read", near);
    script.store(directory, indexAt(vpn, 2), entryTo(table, freshPage));
    const home = script.cpuNumber;
    script.onEveryCpu(({ root, pcid, usesPcid }) => {
      // One INVLPG drops a whole large page, even if it is cached in 4 KiB fragments.
      if (script.cpuNumber === home) script.invlpg(vpn);
      else if (usesPcid) script.invpcid("context", space.pcid);
      else script.load(root, pcid, false);
    });
  },
  small: (script) => {
    const { space, vpn } = anyPlace(script);
    const directory = space.tables.get(tableKey(2, vpn));
    const table = leafTable(space, vpn);
    if (directory === undefined || table === undefined) return;
    script.store(directory, indexAt(vpn, 2), entryTo(table, freshPage));
    flushSpace(script, space);
  },
  moveTable: (script) => {
    const { space, vpn } = anyPlace(script);
    const directory = space.tables.get(tableKey(2, vpn));
    const table = leafTable(space, vpn);
    if (directory === undefined || table === undefined) return;
    script.store(directory, indexAt(vpn, 2), notPresent);
    flushSpace(script, space);
    script.zero(table);
    script.store(table, indexAt(vpn, 1), leafEntry(script));
    script.store(directory, indexAt(vpn, 2), entryTo(table, freshPage));
  },
  switch: (script) => {
    const { root, pcid } = script.pick(script.guest.spaces);
    script.load(root, pcid, script.prng.chance(70));
  },
  privilege: (script) => script.setUser(!script.cpu.isUser),
  writeProtect: (script) => script.setWriteProtect(!script.cpu.writeProtect),
  globals: (script) => script.setPaging(!script.cpu.globalPages, script.cpu.usesPcid),
  vcpu: (script) => script.runOn(script.prng.below(script.cpus.length)),
  registers: (script) => script.emit({ op: script.pick(["read-cr3", "cpuid"] as const) }),
  dirtyLog: (script) => {
    script.emit({ op: "host", event: anyDirtyLogEvent(script.prng, firstData as Gfn) });
  },
  balloon: (script) => {
    const start = anyData(script);
    script.emit({ op: "host", event: { kind: "reclaim", start, frames: 1 } });
    // What the host took comes back as zeros under a hypervisor, and stays on bare metal.
    script.zero(start);
  },
  // Tables and all: a page that is swapped out keeps what it holds.
  swapOut: (script) => {
    const frames = 1 + script.prng.below(4);
    const start = script.prng.chance(70) ? anyData(script) : anyTable(script);
    script.emit({ op: "host", event: { kind: "evict", start, frames } });
  },
  share: (script) => {
    script.emit({ op: "host", event: sharingEvent(script) });
  },
};

/** Writes about `ops` ops of an orderly guest, one group of ops per thing it does. */
export function writeOrderly(script: GuestScript, ops: number): void {
  const { prng } = script;
  const menu: Act[] = [];
  for (const [name, act] of Object.entries(acts)) {
    const weight = name === "run" ? 10 + prng.below(30) : prng.chance(40) ? 0 : 1 + prng.below(6);
    for (let i = 0; i < weight; i++) menu.push(act);
  }
  while (script.written < ops) script.act(script.pick(menu));
}

function anyPlace(script: GuestScript): { readonly space: Space; readonly vpn: Vpn } {
  return { space: script.pick(script.guest.spaces), vpn: script.pick(script.guest.userPages) };
}

function anyData({ prng }: GuestScript): Gfn {
  return (firstData + prng.below(prng.chance(70) ? 24 : 1000)) as Gfn;
}

function anyTable(script: GuestScript): Gfn {
  return script.pick([...script.pick(script.guest.spaces).tables.values()]);
}

function leafTable(space: Space, vpn: Vpn): Gfn | undefined {
  return space.tables.get(tableKey(1, vpn));
}

function changeLeaf(script: GuestScript, entry: Entry): void {
  const { space, vpn } = anyPlace(script);
  const table = leafTable(space, vpn);
  if (table === undefined) return;
  script.store(table, indexAt(vpn, 1), entry);
  flushPage(script, space, vpn);
}

function leafEntry(script: GuestScript): Entry {
  const { prng } = script;
  const on = (percent: number, set: (flags: number) => number) =>
    prng.chance(percent) ? set(0) : 0;
  const rights = withPresent(on(90, withWrite) + on(93, withUser));
  const flags = rights + on(30, withAccessed) + on(30, withDirty);
  return entryTo(anyData(script), flags, prng.chance(4) ? noExecute : 0);
}

/**
 * Drops what any vCPU has cached for one page of a space. It does not ask which space a vCPU runs: then an
 * op list stays orderly when a shrinker leaves out the switch before.
 */
function flushPage(script: GuestScript, space: Space, vpn: Vpn): void {
  script.onEveryCpu(({ usesPcid }) => {
    script.invlpg(vpn);
    // Without PCID the CR3 write that brings the space back flushes it.
    if (usesPcid) script.invpcid("address", space.pcid, vpn);
  });
}

/** Drops everything that any vCPU has cached for a space. */
function flushSpace(script: GuestScript, space: Space): void {
  script.onEveryCpu(({ root, usesPcid }) => {
    if (usesPcid) script.invpcid("context", space.pcid);
    else script.load(root, 0, false);
  });
}
