/**
 * The software walk of the guest's tables: what silicon would find, were it walking them.
 *
 * Every shadow engine asks it at a hidden fault. It sets A on the way and D for a store, as silicon does, and
 * reports the guest's own fault if there is one.
 *
 * Source: SDM vol. 3A 4.6 "Access Rights", 4.7 "Page-Fault Exceptions", 4.8 "Accessed and Dirty Flags".
 */
import * as address from "../machine/address.ts";
import type { Gfn, Vpn } from "../machine/address.ts";
import * as x86Entry from "../machine/formats/x86-entry.ts";
import * as pageFault from "../machine/page-fault.ts";
import type { Registers } from "../machine/registers.ts";
import type { VirtualCpu } from "../machine/virtual-cpu.ts";
import { OutsideMemory } from "../machine/outside-memory.ts";
import type { HostMemory } from "./memory/host-memory.ts";
import type { MemoryPolicy } from "./policy/memory-policy.ts";

// V8 folds a module's own constants; what it imports or exports it loads from a cell and checks, at every use. Names
// of their own for those, here and wherever each exit passes, save an eighth of a trapped PTE store.
const { indexAt, pagesPerEntry } = address;
const { ACC_ALL, ACC_EXEC, ACC_USER, ACC_WRITE, accessOf, frameOf, hasReserved } = x86Entry;
const { isAccessed, isDirty, isLarge, isPresent, withAccessed, withDirty, withoutWrite } = x86Entry;
const { PF_FETCH, PF_PRESENT, PF_RESERVED, PF_SHADOW_STACK, PF_USER, PF_WRITE } = pageFault;

/** In place of an error code: A or D would have to be set in a frame that nobody may store to. `gfn` is that frame. */
export const walkDenied = -2;

/** What the walk needs of its hypervisor. */
export interface WalkHost {
  readonly guest: HostMemory;
  /** What the guest's memory is subject to, A and D bits too; null: nothing. */
  readonly memoryPolicy: Pick<MemoryPolicy, "mayStore"> | null;
  /** A or D was set in the guest table at `gfn`: the page is dirty. */
  marked(gfn: Gfn): void;
}

/** The access that faulted, as silicon reports it; of the error code, the walk heeds what kind of access it was. */
export interface FaultingAccess {
  readonly vpn: Vpn;
  readonly error: number;
}

/** Error code bits that say what the access was, not what it met. */
const accessBits = PF_WRITE | PF_USER | PF_FETCH | PF_SHADOW_STACK;

/** The result of a walk; every array is indexed by level. */
export interface GuestWalk {
  /** Level of the leaf: 1, 2 or 3. */
  level: number;
  /** The 4 KiB frame accessed. */
  gfn: Gfn;
  /** Rights of the whole path; W only if the page is dirty (or the access stores). */
  access: number;
  /** Table read at each level, and the rights of the path above it. */
  readonly tables: Gfn[];
  readonly accessAbove: number[];
  /** Entry read at each level, low half, as it was before A and D were set. */
  readonly lows: number[];
  /** Error code of the guest's own fault, -1, or `walkDenied`. */
  error: number;
}

export function createWalk(): GuestWalk {
  const zeros = [0, 0, 0, 0, 0, 0];
  return {
    level: 0,
    gfn: 0 as Gfn,
    access: 0,
    tables: zeros.map(() => 0 as Gfn),
    accessAbove: [...zeros],
    lows: [...zeros],
    error: -1,
  };
}

/** A page that is clean must fault on its first store, so that D can be set. */
export function withoutWriteIfClean(access: number, low: number): number {
  return isDirty(low) ? access : withoutWrite(access);
}

function missingRights(access: number, kind: number, registers: Registers): boolean {
  if ((kind & PF_USER) !== 0 && (access & ACC_USER) === 0) return true;
  if ((kind & PF_FETCH) !== 0 && (access & ACC_EXEC) === 0) return true;
  if ((kind & PF_WRITE) === 0 || (access & ACC_WRITE) !== 0) return false;
  return (kind & PF_USER) !== 0 || registers.writeProtect;
}

/** Does a leaf end at a page of a shadow stack? */
function isStackLeaf(above: number, access: number, low: number): boolean {
  return (above & ACC_WRITE) !== 0 && (access & ACC_WRITE) === 0 && isDirty(low);
}

/** Is the page of the mode that makes a shadow stack's access? */
function isStackOf(kind: number, access: number): boolean {
  return ((kind & PF_USER) !== 0) === ((access & ACC_USER) !== 0);
}

/** Walks from the vCPU's CR3 into `walk`; false if the guest faults, with `walk.error` set. */
export function walkGuest(
  host: WalkHost,
  vcpu: VirtualCpu,
  exit: FaultingAccess,
  walk: GuestWalk,
): boolean {
  const { guest } = host;
  const { registers } = vcpu;
  const { vpn } = exit;
  const kind = exit.error & accessBits;
  vcpu.ledger.softwareWalks += 1;
  let table = vcpu.cr3.root;
  let access = ACC_ALL;
  let low = 0;
  let high = 0;
  let areUsed = true;
  let level: number = registers.levels;
  for (; ; level--) {
    if (table >= guest.frames) throw new OutsideMemory(vpn, table, guest.frames);
    const word = guest.wordsOf(table) | (indexAt(vpn, level) << 1);
    low = guest.words[word]!;
    high = guest.words[word | 1]!;
    areUsed &&= isAccessed(low);
    walk.tables[level] = table;
    walk.accessAbove[level] = access;
    walk.lows[level] = low;
    if (!isPresent(low)) return fails(walk, kind);
    if (hasReserved(low, high, level)) return fails(walk, kind | PF_RESERVED | PF_PRESENT);
    access &= accessOf(low, high);
    if (level === 1 || isLarge(low)) break;
    table = frameOf(low, high) as Gfn;
  }
  const isRefused =
    (kind & PF_SHADOW_STACK) === 0
      ? missingRights(access, kind, registers)
      : !isStackOf(kind, access) || !isStackLeaf(walk.accessAbove[level]!, access, low);
  if (isRefused) return fails(walk, kind | PF_PRESENT);
  walk.level = level;
  walk.error = -1;
  // A large page's number within it comes from the address: spans are powers of two.
  const inside = pagesPerEntry(level) - 1;
  const frame = frameOf(low, high);
  walk.gfn = (frame - (frame & inside) + (vpn & inside)) as Gfn;
  walk.access = (kind & PF_WRITE) !== 0 ? access : withoutWriteIfClean(access, low);
  if (walk.gfn >= guest.frames && !guest.isHole(walk.gfn))
    throw new OutsideMemory(vpn, walk.gfn, guest.frames);
  const isMarked = areUsed && ((kind & PF_WRITE) === 0 || isDirty(low));
  return isMarked || setAccessedDirty(host, vcpu, exit, walk);
}

function fails(walk: GuestWalk, error: number): boolean {
  walk.error = error;
  return false;
}

function setAccessedDirty(
  host: WalkHost,
  { registers }: VirtualCpu,
  { vpn, error }: FaultingAccess,
  walk: GuestWalk,
): boolean {
  const { memoryPolicy } = host;
  for (let level: number = registers.levels; level >= walk.level; level--) {
    const low = walk.lows[level]!;
    const isWritten = level === walk.level && (error & PF_WRITE) !== 0;
    const wanted = isWritten ? withDirty(withAccessed(low)) : withAccessed(low);
    if (wanted === low) continue;
    const table = walk.tables[level]!;
    const index = indexAt(vpn, level);
    if (memoryPolicy !== null && !memoryPolicy.mayStore(table, "walker")) {
      walk.gfn = table;
      return fails(walk, walkDenied);
    }
    host.guest.write(table, index, wanted, host.guest.readHigh(table, index));
    host.marked(table);
  }
  return true;
}
