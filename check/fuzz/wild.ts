/**
 * A guest that does anything to its page tables, flushes when it feels like it, and goes on.
 *
 * Swarm style: each program switches some kinds of op off and weights the rest wildly, because bugs hide
 * where one kind of op happens a hundred times between two of another (TigerBeetle's VOPR does the same).
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import {
  asGlobal,
  asLarge,
  frameOf,
  freshPage,
  noExecute,
  userLink,
  withAccessed,
  withDirty,
  withPresent,
  withUser,
  withWrite,
  withoutMarks,
  withoutPresent,
} from "../../machine/formats/x86-entry.ts";
import type { Prng } from "../../guest/prng.ts";
import type { InvpcidType } from "../../machine/exits.ts";
import { anyDirtyLogEvent } from "./dirty-log-events.ts";
import { firstData, memoryFrames, selfIndex, tableKey } from "./guest-image.ts";
import type { GuestScript } from "./guest-script.ts";
import { sharingEvent } from "./sharing-event.ts";
import { type Entry, entryTo, notPresent } from "./program.ts";

type Act = (script: GuestScript) => void;

/** Entries that user pages and table links use, so that stores hit what walks read. */
const hotIndexes = [0, 0, 0, 1, 1, 2, 3, 5, 9, 511, selfIndex];

type SetFlag = (low: number) => number;

const flagSetters: readonly SetFlag[] = [
  withPresent,
  withWrite,
  withUser,
  withAccessed,
  withDirty,
  asGlobal,
  asLarge,
];

/** Every kind of thing that a wild guest does, by name. */
const acts: Readonly<Record<string, Act>> = {
  access: (script) => {
    const kind = script.pick(["read", "read", "write", "write", "fetch"] as const);
    script.access(kind, anyPage(script));
  },
  sweep: (script) => {
    const kind = script.pick(["read", "write"] as const);
    for (const vpn of script.guest.userPages) script.access(kind, vpn);
  },
  storeLeaf: (script) => storeAnywhere(script, leafEntry(script)),
  storeLink: (script) => storeAnywhere(script, linkEntry(script)),
  clear: (script) => storeAnywhere(script, notPresent),
  storeOdd: (script) => storeAnywhere(script, oddEntry(script)),
  changeFlags: (script) => {
    const table = anyTable(script);
    const index = script.pick(hotIndexes);
    const { low, high } = script.entry(table, index);
    const flag = script.pick(flagSetters)(0);
    const flipped = Math.floor(low / flag) % 2 === 0 ? low + flag : low - flag;
    script.store(table, index, { low: flipped, high });
  },
  ageOut: (script) => {
    const table = anyTable(script);
    for (const index of [0, 1, 2, 9]) {
      const { low, high } = script.entry(table, index);
      script.store(table, index, { low: withoutMarks(low), high });
    }
  },
  storeThroughSelfMap: (script) => {
    const vpn = selfMapped(script, script.pick(script.guest.userPages));
    const { low, high } = leafEntry(script);
    script.emit({ op: "store", vpn, index: script.pick(hotIndexes), low, high });
  },
  repair: (script) => {
    // Makes some pages whole again: a guest whose tables are ruined only takes faults.
    const space = script.pick(script.guest.spaces);
    for (const vpn of script.guest.userPages) {
      if (script.prng.chance(60)) continue;
      for (let level: number = script.guest.levels; level > 1; level--) {
        const table = space.tables.get(tableKey(level, vpn));
        const below = space.tables.get(tableKey(level - 1, vpn));
        if (table === undefined || below === undefined) continue;
        script.store(table, indexAt(vpn, level), entryTo(below, userLink));
      }
      const table = space.tables.get(tableKey(1, vpn));
      if (table !== undefined) script.store(table, indexAt(vpn, 1), leafEntry(script));
    }
  },
  zeroTable: (script) => script.zero(script.pick([anyTable(script), anyData(script)])),
  copyTable: (script) => script.copy(anyTable(script), anyTable(script)),
  invlpg: (script) => script.invlpg(anyPage(script)),
  invpcid: (script) => {
    const types: readonly InvpcidType[] = ["address", "context", "all-with-globals", "all"];
    const pcid = script.cpu.usesPcid ? script.prng.below(4) : 0;
    script.invpcid(script.pick(types), pcid, anyPage(script));
  },
  switch: (script) => {
    const { root } = script.pick(script.guest.spaces);
    script.load(root, script.prng.below(3), script.prng.chance(60));
  },
  reload: (script) => script.load(script.cpu.root, script.cpu.pcid, false),
  strayRoot: (script) => {
    script.load(anyTable(script), script.prng.below(3), script.prng.chance(50));
    script.access("read", anyPage(script));
    script.load(
      script.pick(script.guest.spaces).root,
      script.prng.below(3),
      script.prng.chance(50),
    );
  },
  privilege: (script) => script.setUser(!script.cpu.isUser),
  writeProtect: (script) => script.setWriteProtect(!script.cpu.writeProtect),
  paging: (script) => script.setPaging(script.prng.chance(60), script.prng.chance(60)),
  vcpu: (script) => script.runOn(script.prng.below(script.cpus.length)),
  registers: (script) => script.emit({ op: script.pick(["read-cr3", "cpuid"] as const) }),
  dirtyLog: (script) => {
    const start = script.pick([0, firstData]) as Gfn;
    script.emit({ op: "host", event: anyDirtyLogEvent(script.prng, start) });
  },
  reclaim: (script) => {
    // Never a table on purpose: a host that loses one breaks its guest. A guest that runs wild may use a data frame
    // as one all the same; what it then sees is its own affair, within what `EntryHistory` says of lost entries.
    const start = anyData(script);
    const frames = 1 + script.prng.below(4);
    script.emit({ op: "host", event: { kind: "reclaim", start, frames } });
  },
  swapOut: (script) => {
    const frames = 1 + script.prng.below(4);
    const start = script.prng.chance(50) ? anyData(script) : anyTable(script);
    script.emit({ op: "host", event: { kind: "evict", start, frames } });
  },
  hostStore: (script) => {
    // Into tables mostly: that no hypervisor hears of it is what there is to go wrong.
    const gfn = script.prng.chance(85) ? anyTable(script) : anyData(script);
    const entry = script.prng.chance(60) ? leafEntry(script) : linkEntry(script);
    script.hostStore(gfn, script.pick(hotIndexes), entry);
  },
  slots: (script) => {
    // Data only: where the guest's tables are gone, so is the guest.
    const kind = script.pick(["slot-delete", "slot-create", "slot-create"] as const);
    const isBlock = script.prng.chance(20);
    const start = isBlock ? ((memoryFrames - 512) as Gfn) : anyData(script);
    const frames = isBlock ? 512 : 1 + script.prng.below(16);
    script.emit({ op: "host", event: { kind, start, frames } });
    if (!script.prng.chance(20)) return;
    const to = anyData(script);
    const isApart = to >= start + frames || start >= to + frames;
    if (!isApart || to + frames > memoryFrames) return;
    script.emit({ op: "host", event: { kind: "slot-move", start, frames, to } });
  },
  share: (script) => {
    script.emit({ op: "host", event: sharingEvent(script) });
  },
};

/** Least weight of the kinds that any program needs, or nothing happens at all. */
const essential: ReadonlyMap<string, number> = new Map([
  ["access", 20],
  ["sweep", 5],
  ["repair", 1],
]);

/** Writes about `ops` ops of a wild guest. */
export function writeWild(script: GuestScript, ops: number): void {
  const { prng } = script;
  const menu: Act[] = [];
  for (const [name, act] of Object.entries(acts)) {
    const isOff = prng.chance(35) && !essential.has(name);
    const weight = isOff ? 0 : prng.chance(30) ? 1 + prng.below(20) : 1 + prng.below(4);
    for (let i = 0; i < weight + (essential.get(name) ?? 0); i++) menu.push(act);
  }
  while (script.written < ops) script.act(script.pick(menu));
}

function anyPage(script: GuestScript): Vpn {
  const { guest, prng } = script;
  if (prng.chance(88)) return script.pick(guest.userPages);
  if (prng.chance(50)) return script.direct(prng.chance(50) ? anyData(script) : anyTable(script));
  return selfMapped(script, script.pick(guest.userPages));
}

/** The page through which entry 510 of the root shows the leaf table of `vpn`, or the table above it. */
function selfMapped({ guest, prng }: GuestScript, vpn: Vpn): Vpn {
  const top = 512 ** (guest.levels - 1);
  const once = selfIndex * top + Math.floor(vpn / 512);
  if (prng.chance(70)) return once as Vpn;
  return (selfIndex * top + Math.floor(once / 512)) as Vpn;
}

function anyData({ prng }: GuestScript): Gfn {
  return (firstData + prng.below(200)) as Gfn;
}

/** Mostly tables that some walk reads; sometimes spare ones, and the kernel's own. */
function anyTable(script: GuestScript): Gfn {
  const { guest, prng } = script;
  const choice = prng.below(20);
  if (choice === 0) return script.pick(guest.kernelTables);
  if (choice < 6) return script.pick(guest.spareTables);
  return script.pick([...script.pick(guest.spaces).tables.values()]);
}

function storeAnywhere(script: GuestScript, entry: Entry): void {
  script.store(anyTable(script), script.pick(hotIndexes), entry);
}

/** The flag, so many times in a hundred. */
function on(prng: Prng, percent: number, set: SetFlag): number {
  return prng.chance(percent) ? set(0) : 0;
}

function leafEntry(script: GuestScript): Entry {
  const { prng } = script;
  const flags =
    on(prng, 97, withPresent) +
    on(prng, 70, withWrite) +
    on(prng, 75, withUser) +
    on(prng, 40, withAccessed) +
    on(prng, 40, withDirty) +
    on(prng, 15, asGlobal);
  const nx = prng.chance(15) ? noExecute : 0;
  if (prng.chance(20)) return entryTo(script.pick([0, 512, 1024, 1536]), asLarge(flags), nx);
  return entryTo(anyData(script), flags, nx);
}

function linkEntry(script: GuestScript): Entry {
  const { prng } = script;
  const table = anyTable(script);
  const rights = withPresent(on(prng, 85, withWrite) + on(prng, 90, withUser));
  const flags = rights + on(prng, 60, withAccessed);
  return entryTo(table, flags, prng.chance(5) ? noExecute : 0);
}

/** Entries that fault: reserved bits, misaligned large pages, garbage that is not present. */
function oddEntry(script: GuestScript): Entry {
  const { low, high } = leafEntry(script);
  const choice = script.prng.below(3);
  if (choice === 0) return { low, high: high + 0x1000 };
  if (choice === 1) return entryTo(frameOf(low, high), asLarge(freshPage));
  return entryTo(frameOf(low, high), withoutPresent(userLink));
}
