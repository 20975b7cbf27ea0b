/**
 * The translation hardware of one vCPU, written for speed: the only file that is.
 *
 * It is one closure over typed arrays. V8 folds the arrays' addresses into the code as long as the factory
 * has run once in its module instance, so a worker that wants full speed imports this file afresh, with a
 * query string (two engines sharing code cost 1.2x to 1.9x). `bench/oracle/plain-mmu.ts` is its obvious
 * twin: a differential test holds every counter, byte and stop of the one against the other.
 *
 * Tricks, with what each gained on the yardstick's streams:
 * - hits run in a loop without a call, further accesses to the same page in a loop inside it (4.6 to 1.5 ns);
 * - arrays are named before nested loops, in which V8 14.6 would not fold them (L1 hit 11.4 to 6.8 ns);
 * - all arrays lie in one buffer: once any buffer of the thread was detached, which stripping types does, V8 tests
 *   the buffer at each access, and of one it need not twice (L1 hit 14.1 to 12.4 ns);
 * - a hint table finds the L1 way without a search, checked by tag, so it changes nothing (11.8 to 3.9 ns);
 * - chains by hash lead to the one STLB or nested TLB entry, or prove that there is none; recency is a ring;
 *   rights are one mask per way; L1's victim is found without a branch (STLB hit, over C: 1.9 to 1.1);
 * - `PhysicalMemory.next` saves a dependent load per nested reference (81 to 65 ns per 2D walk), beside the leaf
 *   of a guest table too;
 * - a walk is two functions, the nested one with its TLB (2M nested, over C: 4.1 to 1.5 with the chains);
 * - where most accesses walk, the leaf entries of the next 32 are loaded at once (2D walk: 390 to 165 ns, beyond the
 *   host's caches 600 to 245, 1D walk 140 to 80);
 * - pages of one size go by one search, as do 4 KiB pages where no large page was cached (native uniform 2x);
 * - a full flush renames the context instead of clearing arrays: stale entries are older than any fresh one,
 *   so true LRU evicts them first and no counter can tell the difference.
 *
 * Source: SDM vol. 3A 4.10 "Caching Translation Information", vol. 3C 29.4 "Caching Translation Information".
 */
import type { Gfn, Pfn, Vpn } from "./address.ts";
import { walkLengthMax as lengthMax } from "./counters.ts";
import * as pte from "./entry.ts";
import { createDataCache } from "./data-cache.ts";
import type { NestedPaging, Registers } from "./exit.ts";
import { type PhysicalMemory, slotShift as arenaShift } from "./memory.ts";
import * as unit from "./mmu.ts";
import type { Mmu, MmuRoot, WalkReference } from "./mmu.ts";
import type { Geometry, Preset } from "./presets.ts";

// An imported binding is a cell that V8 loads and checks at every use; a constant of this module is folded.
const { A, D, EPT_A, EPT_D, EPT_R, EPT_W, EPT_X, G, P, PS, RESERVED_HIGH } = pte;
const { PF_FETCH, PF_PRESENT, PF_RESERVED, PF_USER, PF_WRITE } = pte;
const { FETCH, HIGH_MASK, STORE } = unit;
const { STOP_EPT_VIOLATION, STOP_NONE, STOP_OUTSIDE, STOP_PAGE_FAULT, STOP_PML_FULL } = unit;
const slotShift = arenaShift;
const walkLengthMax = lengthMax;

/** Tags: low = VPN bits 31..0 (masked to the page size), high = VALID | context | VPN bits 44..32. */
const VALID = 0x4000_0000;
const contextShift = 13;
const contextsMax = 1 << 16;
const VPN_HIGH = 0x1fff;
/** PCIDs are 12 bits; the next number stands for a VPID's global entries. */
const globalsOfVpid = 4096;

/** Rights accumulated over the levels of a walk. */
const R_W = 1;
const R_U = 2;
const R_X = 4;
/** A TLB entry's raw rights: W, U, X as above, then whether a store needs no walk, nested X, global. */
const RAW_STORE = 8;
const RAW_NESTED_X = 16;
const RAW_GLOBAL = 32;
const RAW = 63;
/** Tables of allowed kinds: those under CR0.WP come second. */
const writeProtected = 64;

/** A TLB entry's other half: raw rights, then the order of the page, then that of the guest's page. */
const orderShift = 6;
const guestShift = 11;
const ORDER = 31;

/** A walk cache's entry: rights, and whether the second dimension lets the table be written. */
const TABLE_WRITABLE = 8;

/** Kinds of access to guest-physical memory. */
const READ = 0;
const WRITE = 1;
const FETCHING = 2;

/** Indices into the scalar state `s`. Scalars live in a typed array: a closure variable would be boxed. */
const CTX = 0;
const CTX_GLOBAL = 1;
const TICK = 2;
const ROOT = 4;
const NESTED = 5;
const NESTED_ROOT = 6;
/** Bits of a gfn below its index into the root table. */
const NESTED_SHIFT = 7;
const NESTED_EPT = 8;
const NESTED_AD = 9;
const TABLE_ACCESS = 10;
const WRITE_PROTECT = 11;
const GLOBAL_PAGES = 12;
const STOP = 13;
const STOP_ERROR = 14;
const STOP_GFN = 15;
const STOP_KIND = 16;
const STOP_DURING = 17;
const PML = 18;
const PML_INDEX = 19;
const LAST = 20;
const SUM = 21;
/** What a walk found: frame, and the other half of a TLB entry. */
const W_FRAME = 22;
const W_META = 23;
/** Not 0: the second dimension lets the table that the walk is in be written. */
const W_TABLE = 24;
const N_ORDER = 25;
const N_FLAGS = 26;
const EPOCH = 27;
const REFS = 28;
const GLOBALS_LIVE = 29;
/** Sizes of pages that TLBs hold since the last full flush: 1, 2, 4 for 4 KiB, 2 MiB, 1 GiB. */
const SIZES = 30;
/** The same of the nested TLB. */
const NESTED_SIZES = 31;
const TICK_PWC = 32;
const FRAGMENTS_LIVE = 34;
/** 1 once entries of two sizes cover one page (the guest did not flush): hints then serve 4 KiB pages only. */
const OVERLAP = 35;
/** Order of all pages that TLBs hold, while they are of one size that has banks of its own; else -1. */
const UNIFORM = 36;
/** Bits of a page's number below its index into the root table. */
const SHIFT = 37;
/** The same for the nested TLB: 0, 9 or 18, or -1. */
const NESTED_UNIFORM = 38;
/** Bits that a nested entry above the leaves has when the walk need not look at it closely. */
const NESTED_NEED = 39;
/** Where the frame that `nested` found starts in the arena, or 0 when unknown. */
const N_TABLE = 40;
/** Bits of the gfn below its index into the table that `nestedWalk` is in. */
const N_SHIFT = 41;
/** 1 once `large` has a mark. */
const LARGE_LIVE = 42;
/** Frames that exist: `PhysicalMemory.frames`, which changes when memory is reset. */
const FRAMES = 43;
/** What `lookAhead` has loaded; nobody reads it. */
const SEEN = 44;
const stateLength = 48;

/** Indices into the batch counters `c`. */
const C_L1 = 0;
const C_STLB = 1;
const C_MISS = 2;
const C_ASSIST = 3;
const C_WALKS = 4;
const C_REF_GUEST = 5;
const C_REF_NESTED = 6;
const C_PWC = 7; // 7..10 are levels 2..5
const C_NTLB_HIT = 11;
const C_NTLB_MISS = 12;
const C_NPWC = 13; // 13..16 are levels 2..5
const C_A = 17;
const C_D = 18;
const C_PML = 19;
const C_STORES = 20;
const C_FETCHES = 21;
const C_PAGE = 22;
const C_CONTEXT = 23;
const C_LINEAR = 24;
const C_NESTED_FLUSH = 25;
/** 26..29: lines of walk references found in L1, L2, the last level, DRAM. */
const C_LINES = 26;
const countersLength = 30;

const referencesMax = 256;
/** Buckets of the STLB's index. */
const stBucketBits = 13;
const stBuckets = 1 << stBucketBits;
/** Order of a nested TLB entry that holds nothing. */
const unused = 255;
/** Accesses that `lookAhead` looks at in one go. */
const aheadMax = 32;
/** Leaf tables that are remembered by hash, per dimension. */
const leavesLength = 4096;

/** Typed arrays that lie in one buffer. */
interface Room {
  int32(length: number): Int32Array;
  int16(length: number): Int16Array;
  uint8(length: number): Uint8Array;
  /** Remembers what all arrays hold; the function returned brings that back. */
  remember(): () => void;
}

function createRoom(bytes: number): Room {
  const buffer = new ArrayBuffer(bytes);
  let used = 0;
  const take = (size: number): number => {
    const at = used;
    used += Math.ceil(size / 4) * 4;
    return at;
  };
  return {
    int32: (length) => new Int32Array(buffer, take(4 * length), length),
    int16: (length) => new Int16Array(buffer, take(2 * length), length),
    uint8: (length) => new Uint8Array(buffer, take(length), length),
    remember() {
      const all = new Uint8Array(buffer, 0, used);
      const kept = all.slice();
      return () => all.set(kept);
    },
  };
}

/** What all structures of a preset need at most, columns included. */
function roomFor({ l1Data, l1Code, stlb, stlb1g, pwc, nestedPwc, nestedTlb }: Preset): number {
  const all = [l1Data, l1Code, pwc, nestedPwc, { stlb, stlb1g, nestedTlb }];
  const geometries: (Geometry | null)[] = all.flatMap((part) => Object.values(part));
  const entries = geometries.reduce((sum, g) => sum + (g === null ? 0 : g.sets * g.ways), 0);
  return 8 * unit.columnLength + 8 * leavesLength + 64 * entries + 0x2_0000;
}

/** Ring lists of recency: within a set, `next` leads from recent to old, `previous(head)` is the victim. */
interface Rings {
  readonly next: Int16Array;
  readonly previous: Int16Array;
  readonly head: Int16Array;
}

/** Entries count from 1: 0 is none. */
function rings(room: Room, { sets, ways }: Geometry): Rings {
  const next = room.int16(sets * ways + 1);
  const previous = room.int16(sets * ways + 1);
  const head = room.int16(sets);
  for (let set = 0; set < sets; set++) {
    const base = 1 + set * ways;
    head[set] = base;
    for (let way = 0; way < ways; way++) {
      next[base + way] = base + ((way + 1) % ways);
      previous[base + way] = base + ((way + ways - 1) % ways);
    }
  }
  return { next, previous, head };
}

/** Per level 2..5 of a walk cache: where its ways start, sets - 1, ways (0: there is none). */
function levelGeometry(room: Room, levels: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>) {
  const base = room.int32(6);
  const mask = room.int32(6);
  const ways = room.int32(6);
  let entries = 0;
  for (const level of [2, 3, 4, 5] as const) {
    const geometry = levels[level];
    base[level] = entries;
    if (geometry === null) continue;
    mask[level] = geometry.sets - 1;
    ways[level] = geometry.ways;
    entries += geometry.sets * geometry.ways;
  }
  return { base, mask, ways, entries };
}

/**
 * Which kinds of access an entry with these raw rights allows: bit (store << 2 | fetch << 1 | user), and under
 * CR0.WP, 64 further on, the same; then which bits of the high column make an access one for the slow path.
 */
function allowTables(room: Room) {
  const allow = room.uint8(128);
  const deny = room.int32(128);
  for (let at = 0; at < 128; at++) {
    const user = (at & R_U) !== 0;
    const executable = (at & R_X) !== 0 && (at & RAW_NESTED_X) !== 0;
    const store = (at & RAW_STORE) !== 0;
    const supervisorStore = store && ((at & R_W) !== 0 || at < writeProtected);
    const userStore = store && (at & R_W) !== 0 && user;
    let allowed = 1;
    if (user) allowed |= 2;
    if (executable) allowed |= 4;
    if (executable && user) allowed |= 8;
    if (supervisorStore) allowed |= 16;
    if (userStore) allowed |= 32;
    allow[at] = allowed;
    // No mask can say "the supervisor stores, the user only loads" (CR0.WP clear): such stores are slow.
    deny[at] =
      (user ? 0 : unit.USER) |
      (executable ? 0 : unit.FETCH) |
      (supervisorStore && (userStore || !user) ? 0 : unit.STORE);
  }
  return { allow, deny };
}

/** A unit that can serve another machine on the same memory, its code compiled and warm. */
export interface ResettableMmu extends Mmu {
  /** Power-on again: nothing cached, nothing counted. Reset the memory first. */
  reset(): void;
}

export const fastMmu = (memory: PhysicalMemory, preset: Preset): ResettableMmu => {
  const { words, slotOf, next, pfnOfSlot } = memory;
  const room = createRoom(roomFor(preset));
  const low = room.int32(unit.columnLength);
  const high = room.int32(unit.columnLength);
  const s = room.int32(stateLength);
  const c = room.int32(countersLength);
  const totals = new Float64Array(countersLength);
  const lengths = room.int32(walkLengthMax + 1);
  const lengthTotals = new Float64Array(walkLengthMax + 1);
  const { allow: ALLOW, deny: DENY } = allowTables(room);

  // L1: banks data 4k, 2m, 1g, then code 4k, 2m. Age stamps: a hit is one store.
  const banks = [
    preset.l1Data["4k"],
    preset.l1Data["2m"],
    preset.l1Data["1g"],
    preset.l1Code["4k"],
    preset.l1Code["2m"],
  ];
  const bankOrder = Int32Array.from([0, 9, 18, 0, 9]);
  /** As in `s[SIZES]`. */
  const bankSize = Int32Array.from([1, 2, 4, 1, 2]);
  const bankBase = room.int32(5);
  const bankMask = room.int32(5);
  const bankWays = room.int32(5);
  let l1Entries = 0;
  banks.forEach((bank, i) => {
    bankBase[i] = l1Entries;
    if (bank === null) return;
    bankMask[i] = bank.sets - 1;
    bankWays[i] = bank.ways;
    l1Entries += bank.sets * bank.ways;
  });
  // One length for all, so that one check of bounds does for all.
  const l1Low = room.int32(l1Entries + 1);
  const l1High = room.int32(l1Entries + 1);
  const l1Mask = room.int32(l1Entries + 1).fill(-1);
  const l1Frame = room.int32(l1Entries + 1);
  const l1Deny = room.int32(l1Entries + 1);
  const l1Meta = room.int32(l1Entries + 1);
  const l1Age = room.int32(l1Entries + 1);
  banks.forEach((bank, i) => {
    const entries = bank === null ? 0 : bank.sets * bank.ways;
    l1Mask.fill(-1 << bankOrder[i]!, bankBase[i], bankBase[i]! + entries);
  });
  // Way by hash of the VPN, data in the first half, code in the second. A wrong hint only costs a search.
  const hint = room.int16(2048).fill(l1Entries);

  // STLB: entries of `stlb` (4k and 2m), then those of `stlb1g`.
  const stlb = preset.stlb ?? { sets: 1, ways: 1 };
  const hasStlb = preset.stlb !== null;
  const hasStlb2m = preset.stlb2m;
  const stMask = stlb.sets - 1;
  const stWays = stlb.ways;
  const stEntries = stlb.sets * stlb.ways;
  const big = preset.stlb1g ?? { sets: 1, ways: 1 };
  const hasBig = preset.stlb1g !== null;
  const stLow = room.int32(stEntries + 1);
  const stHigh = room.int32(stEntries + 1);
  const stFrame = room.int32(stEntries + 1);
  const stMeta = room.int32(stEntries + 1);
  /** Large guest pages, by hash of their number, of which some piece was cached since the last full flush. */
  const fragments = room.uint8(2048);
  /** 2 MiB regions, by hash, that an entry of a large page covered since the last full flush. */
  const large = room.uint8(4096);
  const { next: stNext, previous: stPrevious, head: stHead } = rings(room, stlb);
  // Entries by hash: the first of a bucket, and from each the next. 0 ends.
  const stBucket = room.int16(stBuckets);
  /** Where an entry is to be found: its bucket + 1; 0 for one that is in none. */
  const stHome = room.int16(stEntries + 1);
  const stChain = room.int16(stEntries + 1);
  const stSetBits = Math.log2(stlb.sets);
  const bgLow = room.int32(big.sets * big.ways);
  const bgHigh = room.int32(big.sets * big.ways);
  const bgFrame = room.int32(big.sets * big.ways);
  const bgRaw = room.uint8(big.sets * big.ways);
  const bgAge = room.int32(big.sets * big.ways);

  // Pages of one size, 4 KiB or 2 MiB, that L1 and STLB both hold: then nothing need be searched twice.
  const d4Mask = bankMask[0]!;
  const d4Ways = bankWays[0]!;
  const d2Base = bankBase[1]!;
  const d2Mask = bankMask[1]!;
  const d2Ways = bankWays[1]!;
  const isUniform4k = d4Ways !== 0 && hasStlb;
  const isUniform2m = isUniform4k && d2Ways !== 0 && hasStlb2m;

  // Paging-structure caches of the guest dimension. Payload: where the next table starts, rights so far.
  const {
    base: pwBase,
    mask: pwMask,
    ways: pwWays,
    entries: pwEntries,
  } = levelGeometry(room, preset.pwc);
  const pw2Mask = pwMask[2]!;
  const pw2Ways = pwWays[2]!;
  const pw3Base = pwBase[3]!;
  const pw3Mask = pwMask[3]!;
  const pw3Ways = pwWays[3]!;
  const pwLow = room.int32(pwEntries);
  const pwHigh = room.int32(pwEntries);
  const pwTable = room.int32(pwEntries);
  const pwFrame = room.int32(pwEntries);
  const pwRights = room.uint8(pwEntries);
  const pwAge = room.int32(pwEntries);

  // The nested dimension's: tagged by epoch, which INVEPT advances.
  const nestedLevels = levelGeometry(room, preset.nestedPwc);
  const { base: npBase, mask: npMask, ways: npWays, entries: npEntries } = nestedLevels;
  const hasNestedPwc = npEntries !== 0;
  const npTag = room.int32(npEntries);
  const npEpoch = room.int32(npEntries);
  const npTable = room.int32(npEntries);
  const npRights = room.uint8(npEntries);
  const npAge = room.int32(npEntries);
  const ntlb = preset.nestedTlb ?? { sets: 1, ways: 1 };
  const hasNtlb = preset.nestedTlb !== null;
  const ntMask = ntlb.sets - 1;
  const ntWays = ntlb.ways;
  const ntEntries = ntlb.sets * ntlb.ways;
  const ntTag = room.int32(ntEntries + 1);
  const ntOrder = room.uint8(ntEntries + 1).fill(unused);
  const ntFrame = room.int32(ntEntries + 1);
  const ntTable = room.int32(ntEntries + 1);
  const ntFlags = room.uint8(ntEntries + 1);
  const { next: ntNext, previous: ntPrevious, head: ntHead } = rings(room, ntlb);
  const ntBucket = room.int16(256);
  const ntChain = room.int16(ntEntries + 1);

  // Every reference of the last walk: the arena word, and dimension << 6 | bits below the entry's index.
  const refWord = room.int32(referencesMax);
  const refWhat = room.uint8(referencesMax);
  // Where the last leaf table was that a walk for a page near this one ended in, by hash; for the gfn likewise.
  const leaves = room.int32(leavesLength);
  const nestedLeaves = room.int32(leavesLength);
  const placesAhead = room.int32(aheadMax);
  const dataCache = preset.dataCache === null ? null : createDataCache(preset.dataCache);

  const contexts = new Map<number, number>();
  let contextNext = 1;
  let pcid = 0;
  let vpid = 0;
  let nestedNow: NestedPaging | null = null;

  /** Everything in the room goes back to what it is now, when nothing has happened yet. */
  const restore = room.remember();

  function powerOn(): void {
    contexts.clear();
    contextNext = 1;
    pcid = 0;
    vpid = 0;
    nestedNow = null;
    s[EPOCH] = 1;
    s[SHIFT] = 27;
    s[WRITE_PROTECT] = writeProtected;
    s[PML] = -1;
    s[PML_INDEX] = 511;
    s[FRAMES] = memory.frames;
    rename();
  }

  // --- Contexts: (VPID, PCID, EPTP) as a small number in the tag ---------------------------------------

  function intern(key: number): number {
    let context = contexts.get(key);
    if (context === undefined) {
      if (contextNext === contextsMax) forget();
      context = contextNext;
      contextNext += 1;
      contexts.set(key, context);
    }
    return VALID | (context << contextShift);
  }

  /** All names are used up: clear the arrays for real and start again. */
  function forget(): void {
    for (const array of [l1High, stHigh, bgHigh, pwHigh]) array.fill(0);
    for (const array of [l1Age, bgAge, pwAge]) array.fill(0);
    stBucket.fill(0);
    stHome.fill(0);
    contexts.clear();
    contextNext = 1;
    s[GLOBALS_LIVE] = 0;
    nameContexts();
  }

  /** Interns what the current VPID and PCID tag with; global entries of a VPID share a name of their own. */
  function nameContexts(): void {
    s[CTX_GLOBAL] = intern(keyOf(globalsOfVpid));
    s[CTX] = intern(keyOf(pcid));
  }

  function keyOf(id: number): number {
    return vpid * 2 * globalsOfVpid + id;
  }

  function rename(): void {
    contexts.clear();
    s[GLOBALS_LIVE] = 0;
    s[SIZES] = 0;
    s[UNIFORM] = isUniform4k ? 0 : -1;
    if (s[FRAGMENTS_LIVE] !== 0) fragments.fill(0);
    if (s[LARGE_LIVE] !== 0) large.fill(0);
    s[LARGE_LIVE] = 0;
    s[FRAGMENTS_LIVE] = 0;
    s[OVERLAP] = 0;
    nameContexts();
  }
  powerOn();

  /** A page of `order` comes into the TLBs; `key` is its number in units of 2 MiB. */
  function noteSize(order: number, key: number): void {
    if (order === 9) {
      large[(key ^ (key >>> 12)) & 4095] = 1;
      s[LARGE_LIVE] = 1;
    }
    const sizes = s[SIZES]! | (order === 0 ? 1 : order === 9 ? 2 : 4);
    if (sizes === s[SIZES]) return;
    s[SIZES] = sizes;
    s[UNIFORM] = sizes === 1 && isUniform4k ? 0 : sizes === 2 && isUniform2m ? 9 : -1;
  }

  function hasLarge(): boolean {
    return s[SIZES]! > 1;
  }

  // --- Recency -----------------------------------------------------------------------------------------

  function touchStlb(v: number, set: number): void {
    const h = stHead[set]!;
    if (v === h) return;
    const tail = stPrevious[h]!;
    if (v !== tail) {
      const p = stPrevious[v]!;
      const q = stNext[v]!;
      stNext[p] = q;
      stPrevious[q] = p;
      stNext[tail] = v;
      stPrevious[v] = tail;
      stNext[v] = h;
      stPrevious[h] = v;
    }
    stHead[set] = v;
  }

  function touchNested(v: number, set: number): void {
    const h = ntHead[set]!;
    if (v === h) return;
    const tail = ntPrevious[h]!;
    if (v !== tail) {
      const p = ntPrevious[v]!;
      const q = ntNext[v]!;
      ntNext[p] = q;
      ntPrevious[q] = p;
      ntNext[tail] = v;
      ntPrevious[v] = tail;
      ntNext[v] = h;
      ntPrevious[h] = v;
    }
    ntHead[set] = v;
  }

  /** Stamps fit 31 bits; long before they run out, they are replaced by their ranks. */
  function rerank(): void {
    if (s[TICK]! > 0x3fff_0000) {
      rankAges(l1Age);
      s[TICK] = l1Age.length + 1;
    }
    if (s[TICK_PWC]! > 0x3fff_0000) {
      rankAges(pwAge);
      rankAges(npAge);
      rankAges(bgAge);
      s[TICK_PWC] = Math.max(pwAge.length, npAge.length, bgAge.length) + 1;
    }
  }

  function rankAges(age: Int32Array): void {
    const order = [...age.keys()].sort((a, b) => age[a]! - age[b]! || a - b);
    // Zero means invalid and stays lowest.
    order.forEach((way, rank) => (age[way] = age[way] === 0 ? 0 : rank + 1));
  }

  /** Level of an entry that leaves out so many bits, 0 to 36; V8 divides by 9 in eight instructions. */
  function levelOf(shift: number): number {
    return (Math.imul(shift, 57) >>> 9) + 1;
  }

  /** An entry with PS: address bits below a large page, or PS where no page is. */
  function isReserved(shift: number, e: number): boolean {
    return (e & (shift === 9 ? 0x1f_e000 : shift === 18 ? 0x3fff_e000 : -1)) !== 0;
  }

  // --- Nested dimension: gfn to pfn --------------------------------------------------------------------

  function violation(gfn: number, kind: number): number {
    s[STOP] = STOP_EPT_VIOLATION;
    s[STOP_GFN] = gfn;
    s[STOP_KIND] = kind;
    return -1;
  }

  function findNested(gfn: number): number {
    const sizes = s[NESTED_SIZES]!;
    for (let order = 0; order <= 18; order += 9) {
      if ((sizes & (1 << (order / 9))) === 0) continue;
      const v = findNestedOf(gfn, order) | 0;
      if (v !== 0) return v;
    }
    return 0;
  }

  function findNestedOf(gfn: number, order: number): number {
    const key = gfn >>> order;
    const tag = key << order;
    let v = ntBucket[(key ^ (key >>> 8)) & 255]!;
    while (v !== 0 && (ntTag[v] !== tag || ntOrder[v] !== order)) v = ntChain[v]!;
    return v;
  }

  /**
   * Frame behind `gfn` for an access of `kind`, or -1 with the stop filled in; `s[N_*]` say more about it. Nested
   * TLB, nested walk and fill in one, as three calls fewer per translation (2D walk: 1.1x).
   */
  function nested(gfn: number, kind: number): number {
    const buckets = ntBucket;
    const tags = ntTag;
    const chain = ntChain;
    const uniform = s[NESTED_UNIFORM]!;
    const key = gfn >>> uniform;
    const tag = key << uniform;
    const bucket = (key ^ (key >>> 8)) & 255;
    let v = 0;
    if (hasNtlb) {
      if (uniform >= 0) {
        v = buckets[bucket]!;
        while (v !== 0 && tags[v] !== tag) v = chain[v]!;
      } else {
        v = findNested(gfn) | 0;
      }
      if (v !== 0 && (kind === READ || (ntFlags[v]! & kind) !== 0)) {
        c[C_NTLB_HIT] = (c[C_NTLB_HIT]! + 1) | 0;
        const own = ntOrder[v]!;
        touchNested(v, (gfn >>> own) & ntMask);
        s[N_ORDER] = own;
        s[N_FLAGS] = ntFlags[v]!;
        s[N_TABLE] = ntTable[v]!;
        return (ntFrame[v]! + (gfn & ((1 << own) - 1))) | 0;
      }
    }
    c[C_NTLB_MISS] = (c[C_NTLB_MISS]! + 1) | 0;
    const ept = s[NESTED_EPT]!;
    const need = s[NESTED_NEED]!;
    let shift = s[NESTED_SHIFT]!;
    let table = s[NESTED_ROOT]!;
    let rights = 7;
    if (hasNestedPwc) {
      const cached = findNestedPwc(gfn) | 0;
      if (cached >= 0) {
        table = npTable[cached]!;
        rights = npRights[cached]!;
        shift = s[N_SHIFT]!;
      }
    }
    let refs = s[REFS]!;
    let i = 0;
    let e = 0;
    for (;;) {
      i = table | (shift > 27 ? 0 : ((gfn >>> shift) & 511) << 1);
      e = words[i]!;
      refWord[refs] = i;
      refWhat[refs] = 64 | shift;
      refs = (refs + 1) | 0;
      if (shift === 0 || ((e & PS) !== 0 && shift <= 18)) break;
      if ((e & need) !== need || ept === 0) {
        const own = passNested(i, e) | 0;
        if (own === 0) {
          s[REFS] = refs;
          return violation(gfn, kind);
        }
        rights &= own;
      }
      table = next[i >>> 1]!;
      if (table === 0) {
        table = link(i) | 0;
        if (table === -1) {
          s[REFS] = refs;
          return -1;
        }
      }
      if (hasNestedPwc) fillNestedPwc(shift, gfn, table, rights);
      shift = (shift - 9) | 0;
    }
    s[REFS] = refs;
    if (shift === 0) nestedLeaves[leafHash(gfn)] = table;
    const h = words[i + 1]!;
    rights &= ept !== 0 ? e & 7 : nptRights(e, h);
    if ((rights & (1 << kind)) === 0) return violation(gfn, kind);
    let storable = (rights >>> 1) & 1;
    if (s[NESTED_AD] !== 0) {
      const dirty = ept !== 0 ? EPT_D : D;
      const wanted = (ept !== 0 ? EPT_A : A) | (kind === WRITE ? dirty : 0);
      if ((e & wanted) !== wanted) {
        e = setNestedBits(i, e, wanted, gfn) | 0;
        if (e === 0) return -1;
      }
      if ((e & dirty) === 0) storable = 0;
    }
    const flags = storable | ((rights >>> 1) & 2);
    const inPage = (1 << shift) - 1;
    const frame = ((e >>> 12) | (h << 20)) & ~inPage;
    // Of a guest table it pays to know where it starts, beside its nested entry: a load of `slotOf`, scattered over
    // all of memory, less per table. Of data nobody asks.
    let start = 0;
    if (shift === 0 && s[STOP_DURING] !== 0) {
      start = next[i >>> 1]!;
      if (start === 0 && frame >>> 0 < s[FRAMES]!) start = link(i) | 0;
    }
    s[N_ORDER] = shift;
    s[N_FLAGS] = flags;
    s[N_TABLE] = start;
    if (!hasNtlb) return frame | (gfn & inPage) | 0;
    if (v !== 0 || shift !== uniform || s[NESTED_SIZES] === 0) {
      fillNested(v, gfn, frame);
      return frame | (gfn & inPage) | 0;
    }
    const set = key & ntMask;
    v = ntPrevious[ntHead[set]!]!;
    const old = tags[v]! >>> uniform;
    const oldBucket = (old ^ (old >>> 8)) & 255;
    if (buckets[oldBucket] === v) buckets[oldBucket] = chain[v]!;
    else unchainNested(v);
    tags[v] = tag;
    ntOrder[v] = shift;
    chain[v] = buckets[bucket]!;
    buckets[bucket] = v;
    ntFrame[v] = frame;
    ntTable[v] = start;
    ntFlags[v] = flags;
    // The victim was the tail of the ring, so this makes it the most recent.
    ntHead[set] = v;
    return frame | (gfn & inPage) | 0;
  }

  /** A nested entry above the leaves that is not plain: sets A, returns its rights, 0 when it leads nowhere. */
  function passNested(i: number, e: number): number {
    const ept = s[NESTED_EPT]!;
    const own = ept !== 0 ? e & 7 : nptRights(e, words[i + 1]!);
    const accessed = s[NESTED_AD] === 0 || own === 0 ? 0 : ept !== 0 ? EPT_A : A;
    if ((e & accessed) !== accessed) {
      words[i] = e | accessed;
      c[C_A] = c[C_A]! + 1;
    }
    return own;
  }

  /** Where the guest's table at `gfn` starts, or -1 with the stop filled in. */
  function nestedTable(gfn: number): number {
    const pfn = nested(gfn, s[TABLE_ACCESS]!) | 0;
    if (pfn === -1) return -1;
    const table = s[N_TABLE]!;
    return table !== 0 ? table : tableAt(pfn) | 0;
  }

  /** Enters the page that starts at `frame`, of the size that the walk found. */
  function fillNested(found: number, gfn: number, frame: number): void {
    const order = s[N_ORDER]!;
    const key = gfn >>> order;
    const set = key & ntMask;
    let v = found;
    if (v !== 0 && ntOrder[v] !== order) {
      // Found as a page of another size; it may be there already as one of this size.
      dropNested(v);
      v = findNestedOf(gfn, order) | 0;
    }
    if (v === 0) {
      v = ntPrevious[ntHead[set]!]!;
      unchainNested(v);
      ntTag[v] = key << order;
      ntOrder[v] = order;
      const bucket = (key ^ (key >>> 8)) & 255;
      ntChain[v] = ntBucket[bucket]!;
      ntBucket[bucket] = v;
      const sizes = s[NESTED_SIZES]! | (1 << (order / 9));
      s[NESTED_SIZES] = sizes;
      s[NESTED_UNIFORM] = sizes === 1 ? 0 : sizes === 2 ? 9 : sizes === 4 ? 18 : -1;
    }
    ntFrame[v] = frame;
    ntTable[v] = s[N_TABLE]!;
    ntFlags[v] = s[N_FLAGS]!;
    touchNested(v, set);
  }

  function unchainNested(v: number): void {
    if (ntOrder[v] === unused) return;
    const key = ntTag[v]! >>> ntOrder[v]!;
    const bucket = (key ^ (key >>> 8)) & 255;
    let at = ntBucket[bucket]!;
    if (at === v) {
      ntBucket[bucket] = ntChain[v]!;
      return;
    }
    while (ntChain[at] !== v) at = ntChain[at]!;
    ntChain[at] = ntChain[v]!;
  }

  /** An invalid way becomes its set's next victim. */
  function dropNested(v: number): void {
    unchainNested(v);
    ntOrder[v] = unused;
    const set = ((v - 1) / ntWays) | 0;
    touchNested(v, set);
    ntHead[set] = ntNext[v]!;
  }

  /** As EPT's bits 0, 1, 2. AMD treats nested accesses as user accesses. */
  function nptRights(e: number, h: number): number {
    return (e & 5) === 5 ? 1 | (e & 2) | ((~h >>> 29) & 4) : 0;
  }

  /** Where the table in `pfn` starts, or -1. One that nobody wrote gets bytes (zeros), so that it has an address. */
  function tableAt(pfn: number): number {
    if (pfn >>> 0 >= s[FRAMES]!) {
      outside(pfn);
      return -1;
    }
    const slot = slotOf[pfn]!;
    return (slot === 0 ? memory.slot(pfn as Pfn) : slot) << slotShift;
  }

  /** Remembers where the table that entry `i` points to starts; -1 as above. */
  function link(i: number): number {
    const table = tableAt((words[i]! >>> 12) | (words[i + 1]! << 20)) | 0;
    if (table !== -1) next[i >>> 1] = table;
    return table;
  }

  /** Sets A and D of a nested leaf, logging the page when D is new. Returns 0 when the log is full. */
  function setNestedBits(i: number, e: number, need: number, gfn: number): number {
    const dirty = need & (s[NESTED_EPT] !== 0 ? EPT_D : D);
    if (dirty !== 0 && (e & dirty) === 0) {
      if (s[PML]! >= 0) {
        if (s[PML_INDEX]! < 0) {
          s[STOP] = STOP_PML_FULL;
          s[STOP_GFN] = gfn;
          return 0;
        }
        memory.write(s[PML] as Pfn, s[PML_INDEX]!, gfn << 12, gfn >>> 20);
        s[PML_INDEX] = s[PML_INDEX]! - 1;
        c[C_PML] = c[C_PML]! + 1;
      }
      c[C_D] = c[C_D]! + 1;
    }
    if ((need & ~dirty & ~e) !== 0) c[C_A] = c[C_A]! + 1;
    words[i] = e | need;
    return e | need;
  }

  /** The lowest table of the nested dimension that is known for `gfn`, or -1; `s[N_SHIFT]` says which. */
  function findNestedPwc(gfn: number): number {
    const top = s[NESTED_SHIFT]!;
    for (let l = 2, shift = 9; shift <= top; l++, shift += 9) {
      const ways = npWays[l]!;
      if (ways === 0) continue;
      const tag = shift > 27 ? 0 : gfn >>> shift;
      const base = npBase[l]! + (tag & npMask[l]!) * ways;
      for (let v = base, end = base + ways; v < end; v++) {
        if (npTag[v] !== tag || npEpoch[v] !== s[EPOCH]) continue;
        npAge[v] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
        c[C_NPWC + l - 2] = c[C_NPWC + l - 2]! + 1;
        s[N_SHIFT] = shift - 9;
        return v;
      }
    }
    return -1;
  }

  function fillNestedPwc(shift: number, gfn: number, table: number, rights: number): void {
    const level = levelOf(shift);
    const ways = npWays[level]!;
    if (ways === 0) return;
    const tag = shift > 27 ? 0 : gfn >>> shift;
    const base = npBase[level]! + (tag & npMask[level]!) * ways;
    let victim = base;
    for (let v = base + 1, end = base + ways; v < end; v++) {
      if (npAge[v]! < npAge[victim]!) victim = v;
    }
    npTag[victim] = tag;
    npEpoch[victim] = s[EPOCH]!;
    npTable[victim] = table;
    npRights[victim] = rights;
    npAge[victim] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
  }

  // --- Guest dimension ---------------------------------------------------------------------------------

  function pageFault(kind: number, error: number): number {
    s[STOP] = STOP_PAGE_FAULT;
    s[STOP_ERROR] =
      error | (kind & 4 ? PF_WRITE : 0) | (kind & 1 ? PF_USER : 0) | (kind & 2 ? PF_FETCH : 0);
    return 0;
  }

  /** Tag of a walk-cache entry for a page, of which the entry's level leaves out the lowest `shift` bits: low half. */
  function prefixLow(shift: number, vLow: number, vHigh: number): number {
    return shift < 32 ? (vLow >>> shift) | (vHigh << (32 - shift)) : vHigh >>> (shift - 32);
  }

  function prefixHigh(shift: number, vHigh: number): number {
    return shift < 32 ? vHigh >>> shift : 0;
  }

  /** `tag` is the page's prefix at `level`, which no walk-cache entry has: a walk has looked. */
  function fillPwc(level: number, tag: number, tagHigh: number, rights: number): number {
    const ways = pwWays[level]!;
    const base = (pwBase[level]! + Math.imul(tag & pwMask[level]!, ways)) | 0;
    let victim = base;
    if (ways === 4) {
      // As for L1: a tournament without a branch.
      const age0 = pwAge[base]!;
      const age2 = pwAge[base + 2]!;
      const first = (pwAge[base + 1]! - age0) | 0;
      const second = (pwAge[base + 3]! - age2) | 0;
      const isWay1 = first >> 31;
      const isWay3 = second >> 31;
      const older = (age2 + (second & isWay3) - age0 - (first & isWay1)) >> 31;
      victim = ((base - isWay1) & ~older) | ((base + 2 - isWay3) & older);
    } else {
      for (let v = base + 1; v < base + ways; v++) if (pwAge[v]! < pwAge[victim]!) victim = v;
    }
    pwLow[victim] = tag;
    pwHigh[victim] = tagHigh;
    pwRights[victim] = rights;
    pwAge[victim] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
    return victim;
  }

  /**
   * Sets `bits` (A, D) in a guest entry. Silicon knows from the translation of the entry's table, which it has just
   * used, whether it may write there: 0 with the violation filled in when it may not.
   */
  function setGuestBits(i: number, e: number, bits: number, table: number): number {
    const isWritable = s[NESTED] === 0 || s[TABLE_ACCESS] === WRITE || s[W_TABLE] !== 0;
    if (!isWritable) {
      violation(table, WRITE);
      return 0;
    }
    if ((bits & A & ~e) !== 0) c[C_A] = c[C_A]! + 1;
    if ((bits & D & ~e) !== 0) c[C_D] = c[C_D]! + 1;
    words[i] = e | bits;
    return 1;
  }

  function walk(vLow: number, vHigh: number, kind: number): number {
    s[REFS] = 0;
    const guest = c[C_REF_GUEST]!;
    const outcome = descend(vLow, vHigh, kind) | 0;
    const refs = s[REFS];
    c[C_WALKS] = (c[C_WALKS]! + 1) | 0;
    c[C_REF_NESTED] = (c[C_REF_NESTED]! + refs - c[C_REF_GUEST]! + guest) | 0;
    const bin = refs > walkLengthMax ? walkLengthMax : refs;
    lengths[bin] = (lengths[bin]! + 1) | 0;
    if (dataCache !== null) readLines(refs);
    return outcome;
  }

  /** The references of the walk go through the data caches. Off the hot path: most presets have none. */
  function readLines(refs: number): void {
    for (let n = 0; n < refs; n++) {
      const word = refWord[n]!;
      const line = (pfnOfSlot[word >>> slotShift]! << 6) | ((word >>> 4) & 63);
      const place = C_LINES + dataCache!.reference(line);
      c[place] = c[place]! + 1;
    }
  }

  /** The walk-cache entry for the page at the level that leaves out `shift` bits, or -1. */
  function findPwc(shift: number, vLow: number, vHigh: number): number {
    const lows = pwLow;
    const highs = pwHigh;
    const level = levelOf(shift);
    const ways = pwWays[level]!;
    const tag = prefixLow(shift, vLow, vHigh) | 0;
    const tagHigh = s[CTX]! | prefixHigh(shift, vHigh);
    const base = (pwBase[level]! + Math.imul(tag & pwMask[level]!, ways)) | 0;
    for (let v = base, end = (base + ways) | 0; v < end; v = (v + 1) | 0) {
      if (lows[v] === tag && highs[v] === tagHigh) return v;
    }
    return -1;
  }

  /** One loop over the levels, one nested call per table: the whole two-dimensional walk. */
  function descend(vLow: number, vHigh: number, kind: number): number {
    const isNested = s[NESTED] !== 0;
    const top = s[SHIFT]!;
    const context = s[CTX]!;
    let shift = top;
    let table = -1;
    let frame = s[ROOT]!;
    let rights = 7;
    let cached = -1;
    s[STOP_DURING] = 1;
    // Nearly every hit is in the two caches nearest to the leaves, so these two are searched by hand (1D walk: 1.1x).
    const tag2 = (vLow >>> 9) | (vHigh << 23);
    const tag2High = context | (vHigh >>> 9);
    const base2 = Math.imul(tag2 & pw2Mask, pw2Ways);
    let isLikely = pw2Ways !== 0;
    if (pw2Ways === 4) {
      isLikely =
        pwLow[base2] === tag2 ||
        pwLow[base2 + 1] === tag2 ||
        pwLow[base2 + 2] === tag2 ||
        pwLow[base2 + 3] === tag2;
    }
    if (isLikely) {
      let v = base2;
      const end = (v + pw2Ways) | 0;
      while (v < end && (pwLow[v] !== tag2 || pwHigh[v] !== tag2High)) v = (v + 1) | 0;
      if (v < end) {
        cached = v;
        shift = 0;
      }
    }
    if (cached < 0 && pw3Ways !== 0) {
      const tag = (vLow >>> 18) | (vHigh << 14);
      let v = (pw3Base + Math.imul(tag & pw3Mask, pw3Ways)) | 0;
      const end = (v + pw3Ways) | 0;
      while (v < end && (pwLow[v] !== tag || pwHigh[v] !== context)) v = (v + 1) | 0;
      if (v < end) {
        cached = v;
        shift = 9;
      }
    }
    for (let above = 27; cached < 0 && above <= top; above = (above + 9) | 0) {
      cached = findPwc(above, vLow, vHigh) | 0;
      if (cached >= 0) shift = (above - 9) | 0;
    }
    if (cached >= 0) {
      table = pwTable[cached]!;
      frame = pwFrame[cached]!;
      rights = pwRights[cached]!;
      pwAge[cached] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
      const hits = (C_PWC - 1 + levelOf(shift)) | 0;
      c[hits] = (c[hits]! + 1) | 0;
      s[W_TABLE] = rights & TABLE_WRITABLE;
    } else {
      table = (isNested ? nestedTable(frame) : tableAt(frame)) | 0;
      if (table === -1) return 0;
      s[W_TABLE] = s[N_FLAGS]! & WRITE;
    }
    let refs = s[REFS]!;
    let i = 0;
    let e = 0;
    let h = 0;
    for (;;) {
      const index =
        shift < 27 ? vLow >>> shift : shift === 27 ? (vLow >>> 27) | (vHigh << 5) : vHigh >>> 4;
      i = table | ((index & 511) << 1);
      e = words[i]!;
      h = words[i + 1]!;
      refWord[refs] = i;
      refWhat[refs] = shift;
      refs = (refs + 1) | 0;
      s[REFS] = refs;
      c[C_REF_GUEST] = (c[C_REF_GUEST]! + 1) | 0;
      if ((e & P) === 0) return pageFault(kind, 0);
      if ((h & RESERVED_HIGH) !== 0) return pageFault(kind, PF_PRESENT | PF_RESERVED);
      rights &= ((e >>> 1) & 3) | ((~h >>> 29) & 4);
      if (shift === 0) break;
      if ((e & PS) !== 0) {
        if (isReserved(shift, e)) return pageFault(kind, PF_PRESENT | PF_RESERVED);
        break;
      }
      if ((e & A) === 0 && setGuestBits(i, e, A, frame) === 0) return 0;
      frame = (e >>> 12) | (h << 20);
      if (isNested) {
        table = nestedTable(frame) | 0;
        s[W_TABLE] = s[N_FLAGS]! & WRITE;
        refs = s[REFS]!;
      } else {
        table = next[i >>> 1]!;
        if (table === 0) table = link(i) | 0;
      }
      if (table === -1) return 0;
      const level = levelOf(shift);
      if (pwWays[level] !== 0) {
        const tag = shift === 9 ? tag2 : prefixLow(shift, vLow, vHigh) | 0;
        const tagHigh = shift === 9 ? tag2High : context | prefixHigh(shift, vHigh);
        const known: number = rights | (s[W_TABLE] !== 0 ? TABLE_WRITABLE : 0);
        const v = fillPwc(level, tag, tagHigh, known) | 0;
        pwTable[v] = table;
        pwFrame[v] = frame;
      }
      shift = (shift - 9) | 0;
    }
    if (shift === 0) leaves[leafHash(vLow)] = table;
    // The leaf entry is at `i`: rights, A and D, and the page itself in the second dimension.
    const isStore = kind >>> 2;
    if (
      (isStore !== 0 && (rights & R_W) === 0 && ((kind & 1) !== 0 || s[WRITE_PROTECT] !== 0)) ||
      ((kind & 1) !== 0 && (rights & R_U) === 0) ||
      ((kind & 2) !== 0 && (rights & R_X) === 0)
    ) {
      return pageFault(kind, PF_PRESENT);
    }
    const need = A | (isStore << 6);
    if ((e & need) !== need) {
      if (setGuestBits(i, e, need, frame) === 0) return 0;
      e |= need;
    }
    const inPage = (1 << shift) - 1;
    const page = ((e >>> 12) | (h << 20)) & ~inPage;
    // D is bit 6: the right to store without a walk is bit 3.
    let raw = (rights & 7) | ((e >>> 3) & RAW_STORE) | RAW_NESTED_X;
    if ((e & G) !== 0 && s[GLOBAL_PAGES] !== 0) raw |= RAW_GLOBAL;
    const gfn = page | (vLow & inPage);
    if (!isNested) {
      if (gfn >>> 0 >= s[FRAMES]!) return outside(gfn);
      s[W_FRAME] = page;
      s[W_META] = raw | (shift << orderShift) | (shift << guestShift);
      return 1;
    }
    s[STOP_DURING] = 0;
    const pfn = nested(gfn, isStore !== 0 ? WRITE : kind & 2) | 0;
    if (pfn === -1) return 0;
    if (pfn >>> 0 >= s[FRAMES]!) return outside(pfn);
    const flags = s[N_FLAGS]!;
    if ((flags & WRITE) === 0) raw &= ~RAW_STORE;
    if ((flags & FETCHING) === 0) raw &= ~RAW_NESTED_X;
    const own = s[N_ORDER]! < shift ? s[N_ORDER]! : shift;
    s[W_FRAME] = (pfn >>> own) << own;
    s[W_META] = raw | (own << orderShift) | (shift << guestShift);
    return 1;
  }

  /** Place of a leaf table among those remembered, by a 4 KiB page that it maps. */
  function leafHash(page: number): number {
    const table = page >>> 9;
    return (table ^ (table >>> 12)) & (leavesLength - 1);
  }

  /**
   * Loads the leaf entries that walks for the next accesses will most likely end in, so that the host fetches them
   * into its caches all at once; walks are longer than what a host executes ahead, and would wait for one after the
   * other. Nothing depends on what is loaded.
   */
  function lookAhead(from: number, to: number): void {
    const lows = low;
    const highs = high;
    const entries = words;
    const places = placesAhead;
    const length = (to - from) | 0;
    for (let n = 0; n < length; n = (n + 1) | 0) {
      const vLow = (lows[from + n]! >>> 12) | (highs[from + n]! << 20);
      places[n] = leaves[leafHash(vLow)]! | ((vLow & 511) << 1);
    }
    // In loops of their own, with so little else in them that the host has all the loads under way at once.
    let seen = 0;
    for (let n = 0; n < length; n = (n + 1) | 0) seen ^= entries[places[n]!]!;
    if (s[NESTED] !== 0) {
      for (let n = 0; n < length; n = (n + 1) | 0) {
        const i = places[n]!;
        const gfn = (entries[i]! >>> 12) | (entries[i + 1]! << 20);
        places[n] = nestedLeaves[leafHash(gfn)]! | ((gfn & 511) << 1);
      }
      for (let n = 0; n < length; n = (n + 1) | 0) seen ^= entries[places[n]!]!;
    }
    s[SEEN] = seen;
  }

  function outside(frame: number): number {
    s[STOP] = STOP_OUTSIDE;
    s[STOP_GFN] = frame;
    return 0;
  }

  // --- TLBs --------------------------------------------------------------------------------------------

  function findL1(vLow: number, tagHigh: number, code: number): number {
    const state = s;
    const ways = bankWays;
    const orders = bankOrder;
    const bases = bankBase;
    const masks = bankMask;
    const lows = l1Low;
    const highs = l1High;
    const globalHigh = state[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
    for (let b = code === 0 ? 0 : 3, last = code === 0 ? 3 : 5; b < last; b++) {
      const own = ways[b]!;
      const order = orders[b]!;
      if (order !== 0 && !hasLarge()) break;
      const tag = (vLow >>> order) << order;
      const base = (bases[b]! + ((vLow >>> order) & masks[b]!) * own) | 0;
      for (let w = base, end = (base + own) | 0; w < end; w = (w + 1) | 0) {
        if (lows[w] === tag) {
          const h = highs[w]!;
          if (h === tagHigh || h === globalHigh) return w;
        }
      }
    }
    return -1;
  }

  function allows(meta: number, kind: number): boolean {
    return ((ALLOW[(meta & RAW) | s[WRITE_PROTECT]!]! >>> kind) & 1) !== 0;
  }

  function orderOf(meta: number): number {
    return (meta >>> orderShift) & ORDER;
  }

  /** The bank for a page of `order`: its own or that of the next smaller size; below the port's first if none. */
  function bankFor(code: number, order: number): number {
    let b = code === 0 ? (order / 9) | 0 : order === 0 ? 3 : 4;
    const first = code === 0 ? 0 : 3;
    while (b >= first && bankWays[b] === 0) b--;
    return b;
  }

  function dropDuplicate(b: number, vLow: number, tagHigh: number): void {
    if (b < 0 || bankWays[b] === 0) return;
    const order = bankOrder[b]!;
    const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
    const base = bankBase[b]! + ((vLow >>> order) & bankMask[b]!) * bankWays[b]!;
    for (let w = base; w < base + bankWays[b]!; w++) {
      if (l1Low[w] !== (vLow >>> order) << order) continue;
      if (l1High[w] === tagHigh || l1High[w] === globalHigh) dropL1(w);
    }
  }

  /** The least recently used of the ways from `base` on. */
  function oldestL1(base: number, ways: number): number {
    let w = base;
    for (let v = base + 1; v < base + ways; v++) if (l1Age[v]! < l1Age[w]!) w = v;
    return w;
  }

  /** Enters what a walk or the STLB gave (or the fragment that a bank can hold) and returns its way, or -1. */
  function fillL1(vLow: number, vHigh: number, code: number): number {
    const meta = s[W_META]!;
    const order = orderOf(meta);
    const b = bankFor(code, order);
    const first = code === 0 ? 0 : 3;
    if (b < first) return -1;
    const own = bankOrder[b]!;
    const ways = bankWays[b]!;
    const tag = (vLow >>> own) << own;
    const base = (bankBase[b]! + ((vLow >>> own) & bankMask[b]!) * ways) | 0;
    if ((meta & RAW_GLOBAL) !== 0) {
      for (let v = base; v < base + ways; v++) {
        if (l1Low[v] === tag && isReplaced(l1High[v]!, vHigh)) dropL1(v);
      }
    }
    const w = oldestL1(base, ways) | 0;
    l1Low[w] = tag;
    l1High[w] = contextOf(meta) | vHigh;
    noteFragment(vLow, meta, own);
    // The fragment's first frame: the page's, plus what lies between the two.
    l1Frame[w] = s[W_FRAME]! + (tag & ((1 << order) - 1));
    l1Meta[w] = meta;
    l1Deny[w] = DENY[(meta & RAW) | s[WRITE_PROTECT]!]!;
    noteSize(own, vLow >>> 9);
    const sizes = s[SIZES]!;
    if (sizes > 2 && sizes !== 4 && s[OVERLAP] === 0 && (own !== 0 || (meta & RAW_GLOBAL) !== 0)) {
      markOverlap(w, first);
    }
    if ((meta & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
    return w;
  }

  /** A new entry, large or global: does one of another size, whatever its context, cover part of it? */
  function markOverlap(w: number, first: number): void {
    for (let b = first, last = first === 0 ? 3 : 5; b < last; b++) {
      const end = bankBase[b]! + (bankMask[b]! + 1) * bankWays[b]!;
      for (let v = bankBase[b]!; v < end; v++) {
        const mask = l1Mask[v]! & l1Mask[w]!;
        if (l1Mask[v] === l1Mask[w] || l1High[v] === 0) continue;
        if (((l1Low[v]! ^ l1Low[w]!) & mask) === 0) hintSmallOnly();
      }
    }
  }

  /** Every way belongs to pages of one size, so no hint leads to a large page from here on. */
  function hintSmallOnly(): void {
    s[OVERLAP] = 1;
    hint.fill(l1Entries);
  }

  /** A global entry replaces those of single PCIDs: no lookup may find two entries. */
  function isReplaced(tagHigh: number, vHigh: number): boolean {
    if ((tagHigh & VPN_HIGH) !== vHigh || tagHigh === 0) return false;
    for (const [key, context] of contexts) {
      if (Math.floor(key / (2 * globalsOfVpid)) !== vpid) continue;
      if ((tagHigh & ~VPN_HIGH) === (VALID | (context << contextShift))) return true;
    }
    return false;
  }

  function bucketOf(key: number): number {
    return (key ^ ((key >>> stBucketBits) << stSetBits)) & (stBuckets - 1);
  }

  function findStlb(vLow: number, tagHigh: number): number {
    const sizes = s[SIZES]!;
    if ((sizes & 1) !== 0) {
      const v = findStlbOf(vLow, tagHigh, 0) | 0;
      if (v !== 0) return v;
    }
    return sizes > 1 ? findStlbOf((vLow >>> 9) << 9, tagHigh, 9) | 0 : 0;
  }

  function findStlbOf(tag: number, tagHigh: number, order: number): number {
    const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
    let v = stBucket[bucketOf(tag >>> order)]!;
    while (v !== 0) {
      if (stLow[v] === tag && orderOf(stMeta[v]!) === order) {
        const h = stHigh[v]!;
        if (h === tagHigh || h === globalHigh) break;
      }
      v = stChain[v]!;
    }
    return v;
  }

  function fillStlb(vLow: number, vHigh: number): void {
    const meta = s[W_META]!;
    const order = orderOf(meta);
    if (order === 18) {
      if (hasBig) fillBig(vLow, vHigh);
      return;
    }
    if (!hasStlb || (order === 9 && !hasStlb2m)) return;
    const key = vLow >>> order;
    const tag = key << order;
    const set = key & stMask;
    if ((meta & RAW_GLOBAL) !== 0) dropReplaced(tag, vHigh, order, 0);
    const v = stPrevious[stHead[set]!]!;
    unchainStlb(v);
    const bucket = bucketOf(key);
    stChain[v] = stBucket[bucket]!;
    stBucket[bucket] = v;
    stHome[v] = bucket + 1;
    stLow[v] = tag;
    stHigh[v] = contextOf(meta) | vHigh;
    stFrame[v] = s[W_FRAME]!;
    stMeta[v] = meta;
    noteFragment(vLow, meta, order);
    noteSize(order, vLow >>> 9);
    if ((meta & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
    stHead[set] = v;
  }

  function dropReplaced(tag: number, vHigh: number, order: number, except: number): void {
    const base = 1 + ((tag >>> order) & stMask) * stWays;
    for (let v = base; v < base + stWays; v++) {
      if (v === except || stLow[v] !== tag || orderOf(stMeta[v]!) !== order) continue;
      if (isReplaced(stHigh[v]!, vHigh)) dropStlb(v);
    }
  }

  function unchainStlb(v: number): void {
    const home = stHome[v]!;
    if (home === 0) return;
    stHome[v] = 0;
    let at = stBucket[home - 1]!;
    if (at === v) {
      stBucket[home - 1] = stChain[v]!;
      return;
    }
    while (stChain[at] !== v) at = stChain[at]!;
    stChain[at] = stChain[v]!;
  }

  function dropStlb(v: number): void {
    unchainStlb(v);
    stHigh[v] = 0;
    const set = ((v - 1) / stWays) | 0;
    touchStlb(v, set);
    stHead[set] = stNext[v]!;
  }

  function findBig(vLow: number, tagHigh: number): number {
    const tag = (vLow >>> 18) << 18;
    const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
    const base = ((vLow >>> 18) & (big.sets - 1)) * big.ways;
    for (let v = base; v < base + big.ways; v++) {
      if (bgLow[v] === tag && (bgHigh[v] === tagHigh || bgHigh[v] === globalHigh)) return v;
    }
    return -1;
  }

  function fillBig(vLow: number, vHigh: number): void {
    const base = ((vLow >>> 18) & (big.sets - 1)) * big.ways;
    const raw = s[W_META]! & RAW;
    if ((raw & RAW_GLOBAL) !== 0) dropReplacedBig(vLow, vHigh, -1);
    let v = base;
    for (let w = base; w < base + big.ways; w++) if (bgAge[w]! < bgAge[v]!) v = w;
    bgLow[v] = (vLow >>> 18) << 18;
    bgHigh[v] = contextOf(raw) | vHigh;
    bgFrame[v] = s[W_FRAME]!;
    bgRaw[v] = raw;
    bgAge[v] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
    noteSize(18, vLow >>> 9);
    if ((raw & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
  }

  /** Looks below L1 and fills the walk's result `s[W_*]`, from the STLB or by walking. 0 when stopped. */
  function missL1(vLow: number, vHigh: number, tagHigh: number, kind: number): number {
    const v = hasStlb ? findStlb(vLow, tagHigh) | 0 : 0;
    if (v !== 0) {
      const meta = stMeta[v]!;
      touchStlb(v, (vLow >>> orderOf(meta)) & stMask);
      if (allows(meta, kind)) {
        s[W_FRAME] = stFrame[v]!;
        s[W_META] = meta;
      } else {
        if (walk(vLow, vHigh, kind) === 0) return 0;
        c[C_ASSIST] = (c[C_ASSIST]! + 1) | 0;
        updateStlb(v, vLow, vHigh);
      }
      c[C_STLB] = (c[C_STLB]! + 1) | 0;
      return 1;
    }
    const g = hasBig && hasLarge() ? findBig(vLow, tagHigh) | 0 : -1;
    if (g >= 0) {
      bgAge[g] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
      if (allows(bgRaw[g]!, kind)) {
        s[W_FRAME] = bgFrame[g]!;
        s[W_META] = bgRaw[g]! | (18 << orderShift) | (18 << guestShift);
      } else {
        if (walk(vLow, vHigh, kind) === 0) return 0;
        c[C_ASSIST] = c[C_ASSIST]! + 1;
        updateBig(g, vLow, vHigh);
      }
      c[C_STLB] = c[C_STLB]! + 1;
      return 1;
    }
    if (walk(vLow, vHigh, kind) === 0) return 0;
    c[C_MISS] = (c[C_MISS]! + 1) | 0;
    fillStlb(vLow, vHigh);
    return 1;
  }

  function contextOf(raw: number): number {
    return (raw & RAW_GLOBAL) !== 0 ? s[CTX_GLOBAL]! : s[CTX]!;
  }

  /** A walk replaced what entry `v` says; a page of another size takes another entry. */
  function updateStlb(v: number, vLow: number, vHigh: number): void {
    if (orderOf(stMeta[v]!) === orderOf(s[W_META]!)) {
      setStlb(v, vHigh);
    } else {
      dropStlb(v);
      refillStlb(vLow, vHigh);
    }
  }

  /** As `fillStlb`, where the page may be there already: it was found as a page of another size. */
  function refillStlb(vLow: number, vHigh: number): void {
    const order = orderOf(s[W_META]!);
    const tagHigh = s[CTX]! | vHigh;
    if (order === 18) {
      const g = hasBig ? findBig(vLow, tagHigh) | 0 : -1;
      if (g >= 0) dropBig(g);
    } else if (hasStlb) {
      const v = findStlbOf((vLow >>> order) << order, tagHigh, order) | 0;
      if (v !== 0) dropStlb(v);
    }
    fillStlb(vLow, vHigh);
  }

  /** The walk's result for an entry that keeps its page; G may have changed. */
  function setStlb(v: number, vHigh: number): void {
    const meta = s[W_META]!;
    if ((meta & RAW_GLOBAL) !== 0) dropReplaced(stLow[v]!, vHigh, orderOf(meta), v);
    stHigh[v] = contextOf(meta) | vHigh;
    stFrame[v] = s[W_FRAME]!;
    stMeta[v] = meta;
    noteFragment(stLow[v]!, meta, orderOf(meta));
    if ((meta & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
  }

  function updateBig(g: number, vLow: number, vHigh: number): void {
    if (orderOf(s[W_META]!) === 18) {
      setBig(g, vHigh);
    } else {
      dropBig(g);
      refillStlb(vLow, vHigh);
    }
  }

  function setBig(g: number, vHigh: number): void {
    const raw = s[W_META]! & RAW;
    if ((raw & RAW_GLOBAL) !== 0) dropReplacedBig(bgLow[g]!, vHigh, g);
    bgHigh[g] = contextOf(raw) | vHigh;
    bgFrame[g] = s[W_FRAME]!;
    bgRaw[g] = raw;
    if ((raw & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
  }

  function dropReplacedBig(vLow: number, vHigh: number, except: number): void {
    for (let g = 0; g < bgHigh.length; g++) {
      if (g === except || bgLow[g] !== (vLow >>> 18) << 18) continue;
      if (isReplaced(bgHigh[g]!, vHigh)) dropBig(g);
    }
  }

  function dropBig(g: number): void {
    bgHigh[g] = 0;
    bgAge[g] = 0;
  }

  /**
   * Every page size and port, global entries, rights that a cached entry lacks. Returns the L1 way used,
   * -1 when no bank holds the page, -2 when stopped.
   */
  function general(vLow: number, vHigh: number, code: number, kind: number): number {
    const tagHigh = s[CTX]! | vHigh;
    const w = findL1(vLow, tagHigh, code) | 0;
    if (w < 0) {
      if (missL1(vLow, vHigh, tagHigh, kind) === 0) return -2;
      return fillL1(vLow, vHigh, code) | 0;
    }
    if (!allows(l1Meta[w]!, kind)) {
      if (walk(vLow, vHigh, kind) === 0) return -2;
      c[C_ASSIST] = (c[C_ASSIST]! + 1) | 0;
      c[C_L1] = (c[C_L1]! + 1) | 0;
      return updateL1(w, vLow, vHigh, tagHigh, code) | 0;
    }
    c[C_L1] = (c[C_L1]! + 1) | 0;
    s[W_FRAME] = l1Frame[w]!;
    return w;
  }

  /** Everything but a plain hit, as `general` returns; also enters the hint. */
  function slow(lo: number, hw: number): number {
    const vLow = (lo >>> 12) | (hw << 20);
    const vHigh = (hw & HIGH_MASK) >>> 12;
    const code = (hw >>> 30) & 1;
    const w = general(vLow, vHigh, code, hw >>> 29) | 0;
    if (w === -2) return -2;
    s[SUM] = (s[SUM]! + s[W_FRAME]!) | 0;
    if (w === -1) {
      s[LAST] = s[W_FRAME]! + (vLow & ((1 << orderOf(s[W_META]!)) - 1));
      return -1;
    }
    l1Age[w] = s[TICK] = (s[TICK]! + 1) | 0;
    if (s[OVERLAP] === 0 || l1Mask[w] === -1) {
      const key = vLow >>> hintShift();
      hint[((key ^ (key >>> 10)) & 1023) | (code << 10)] = w;
    }
    return w;
  }

  /** A walk's result goes into the STLB and into L1 as whatever it is; the L1 way. */
  function fillBoth(vLow: number, vHigh: number): number {
    fillStlb(vLow, vHigh);
    return fillL1(vLow, vHigh, 0) | 0;
  }

  function updateL1(w: number, vLow: number, vHigh: number, tagHigh: number, code: number): number {
    const order = orderOf(s[W_META]!);
    const v = hasStlb ? findStlb(vLow, tagHigh) | 0 : 0;
    if (v !== 0) {
      if (orderOf(stMeta[v]!) === order) setStlb(v, vHigh);
      else dropStlb(v);
    }
    const g = v === 0 && hasBig && hasLarge() ? findBig(vLow, tagHigh) | 0 : -1;
    if (g >= 0) {
      if (order === 18) setBig(g, vHigh);
      else dropBig(g);
    }
    dropL1(w);
    // The page may be there already, as a page of the size that the walk found.
    dropDuplicate(bankFor(code, order), vLow, tagHigh);
    return fillL1(vLow, vHigh, code) | 0;
  }

  // --- The loop ----------------------------------------------------------------------------------------

  /** Hints go by numbers of large pages while there are no others. */
  function hintShift(): number {
    return s[UNIFORM] === 9 ? 9 : 0;
  }

  function run(from: number, to: number): number {
    rerank();
    const end = to | 0;
    // Named before the loops: in nested ones V8 14.6 does not see that the closure's arrays are constants, and loads
    // address and length from the array's object at each access (L1 hit 11.4 to 6.8 ns, STLB hit 38 to 30).
    const state = s;
    const counts = c;
    const DENIALS = DENY;
    const l1Metas = l1Meta;
    const heads = stHead;
    const previous = stPrevious;
    const lows = low;
    const highs = high;
    const hints = hint;
    const masks = l1Mask;
    const tagsLow = l1Low;
    const tagsHigh = l1High;
    const denials = l1Deny;
    const ages = l1Age;
    const l1Frames = l1Frame;
    const buckets = stBucket;
    const chain = stChain;
    const homes = stHome;
    const stTags = stLow;
    const stTagsHigh = stHigh;
    const metas = stMeta;
    const stFrames = stFrame;
    const larges = large;
    const context = state[CTX]!;
    const globals = state[CTX_GLOBAL]!;
    let shift = hintShift();
    let tick = state[TICK]!;
    let sum = state[SUM]!;
    let hits = 0;
    let stores = 0;
    let fetches = 0;
    let k = from | 0;
    let lastWay = -1;
    /** Up to where `lookAhead` has been, or was found useless. */
    let ahead = k;
    let walksBefore = counts[C_WALKS]!;
    state[STOP] = STOP_NONE;
    while (k < end) {
      // Plain hits only: a call in this loop would make V8 spill every variable around it.
      while (k < end) {
        const lo = lows[k]!;
        const hw = highs[k]!;
        const vLow = (lo >>> 12) | (hw << 20);
        const vHigh = (hw & HIGH_MASK) >>> 12;
        const key = vLow >>> shift;
        const w = hints[((key ^ (key >>> 10)) & 1023) | ((hw >>> 20) & 1024)]!;
        const mask = masks[w]!;
        if (((tagsLow[w]! ^ vLow) & mask) !== 0) break;
        const tag = tagsHigh[w]!;
        if (tag !== (context | vHigh) && tag !== (globals | vHigh)) break;
        const deny = denials[w]!;
        if ((hw & deny) !== 0) break;
        tick = (tick + 1) | 0;
        ages[w] = tick;
        // Further accesses of the port to the same page, by the same privilege, are hits that change no recency;
        // where stores may not be, they end the run.
        const k0 = k;
        const byteMask = mask << 12;
        const kindMask = 0x61ff_ffff | (deny & STORE);
        stores = (stores + (hw >>> 31)) | 0;
        k = (k + 1) | 0;
        while (k < end) {
          const hx = highs[k]!;
          if ((((lows[k]! ^ lo) & byteMask) | ((hx ^ hw) & kindMask)) !== 0) break;
          stores = (stores + (hx >>> 31)) | 0;
          k = (k + 1) | 0;
        }
        const length = (k - k0) | 0;
        hits = (hits + length) | 0;
        fetches = (fetches + Math.imul(length, (hw >>> 30) & 1)) | 0;
        sum = (sum + Math.imul(length, l1Frames[w]!)) | 0;
        lastWay = w;
      }
      if (k >= end) break;
      const lo = lows[k]!;
      const hw = highs[k]!;
      const vLow = (lo >>> 12) | (hw << 20);
      let order = state[UNIFORM]!;
      if (order < 0) {
        // Sizes are mixed, but here no large page was cached: as good as 4 KiB pages alone.
        const region = vLow >>> 9;
        const is4k = isUniform4k && state[SIZES]! < 4;
        if (is4k && larges[(region ^ (region >>> 12)) & 4095] === 0) order = 0;
      }
      if (order >= 0 && (hw & FETCH) === 0) {
        // Data whose page can be cached in one size only: L1, STLB and walk by hand, so that nothing is searched
        // twice. What is not settled here is left to `slow`, which gives the same.
        const vHigh = (hw & HIGH_MASK) >>> 12;
        const tagHigh = context | vHigh;
        const globalHigh = globals | vHigh;
        const kind = hw >>> 29;
        const key = vLow >>> order;
        const tag = key << order;
        const ways = order === 0 ? d4Ways : d2Ways;
        const base =
          order === 0
            ? Math.imul(key & d4Mask, d4Ways)
            : (d2Base + Math.imul(key & d2Mask, d2Ways)) | 0;
        let found = -1;
        let w = base;
        if (ways === 4) {
          // The oldest of four without a branch, as a tournament: a comparison is the sign of a difference.
          const way1 = (base + 1) | 0;
          const way2 = (base + 2) | 0;
          const way3 = (base + 3) | 0;
          const isHere =
            tagsLow[base] === tag ||
            tagsLow[way1] === tag ||
            tagsLow[way2] === tag ||
            tagsLow[way3] === tag;
          if (isHere) found = findL1(vLow, tagHigh, 0) | 0;
          const age0 = ages[base]!;
          const age2 = ages[way2]!;
          const first = (ages[way1]! - age0) | 0;
          const second = (ages[way3]! - age2) | 0;
          const isWay1 = first >> 31;
          const isWay3 = second >> 31;
          const older = (age2 + (second & isWay3) - age0 - (first & isWay1)) >> 31;
          w = ((base - isWay1) & ~older) | ((way2 - isWay3) & older);
        } else {
          found = findL1(vLow, tagHigh, 0) | 0;
          w = oldestL1(base, ways) | 0;
        }
        let isDone = false;
        if (found >= 0) {
          // The hint was wrong, or a right is missing.
          isDone = (hw & denials[found]!) === 0;
          w = found;
          hits = (hits + (isDone ? 1 : 0)) | 0;
        } else {
          const bucket = (key ^ ((key >>> stBucketBits) << stSetBits)) & (stBuckets - 1);
          let v = buckets[bucket]!;
          while (v !== 0) {
            if (stTags[v] === tag && (stTagsHigh[v] === tagHigh || stTagsHigh[v] === globalHigh)) {
              break;
            }
            v = chain[v]!;
          }
          let meta = 0;
          if (v !== 0) {
            meta = metas[v]!;
            const deny = DENIALS[(meta & RAW) | state[WRITE_PROTECT]!]!;
            if ((meta & RAW_GLOBAL) === 0 && (hw & deny) === 0) {
              isDone = true;
              touchStlb(v, key & stMask);
              counts[C_STLB] = (counts[C_STLB]! + 1) | 0;
              l1Frames[w] = stFrames[v]!;
              tagsLow[w] = tag;
              tagsHigh[w] = tagHigh;
              l1Metas[w] = meta;
              denials[w] = deny;
            }
          } else {
            if (k >= ahead) {
              // Worth it where every other access walks or more.
              const walks = counts[C_WALKS]!;
              const isDense = walks - walksBefore >= aheadMax / 2;
              walksBefore = walks;
              ahead = k + aheadMax < end ? (k + aheadMax) | 0 : end;
              // Tables of large pages are small enough for the host's caches.
              if (isDense && order === 0) lookAhead(k, ahead);
            }
            if (walk(vLow, vHigh, kind) === 0) break;
            isDone = true;
            counts[C_MISS] = (counts[C_MISS]! + 1) | 0;
            meta = state[W_META]!;
            if (((meta >>> orderShift) & ORDER) !== order || (meta & RAW_GLOBAL) !== 0) {
              w = fillBoth(vLow, vHigh) | 0;
              // The sum is of whole pages' frames; L1 may have taken a piece.
              sum = (sum + state[W_FRAME]! - l1Frames[w]!) | 0;
              shift = hintShift();
            } else {
              const set = key & stMask;
              v = previous[heads[set]!]!;
              const home = homes[v]!;
              if (home !== 0 && buckets[home - 1] === v) buckets[home - 1] = chain[v]!;
              else unchainStlb(v);
              chain[v] = buckets[bucket]!;
              buckets[bucket] = v;
              homes[v] = bucket + 1;
              stTags[v] = tag;
              stTagsHigh[v] = tagHigh;
              stFrames[v] = state[W_FRAME]!;
              metas[v] = meta;
              heads[set] = v;
              if (meta >>> guestShift !== order) noteFragment(vLow, meta, order);
              if ((state[SIZES]! & 1) === 0 || order !== 0) noteSize(order, vLow >>> 9);
              l1Frames[w] = state[W_FRAME]!;
              tagsLow[w] = tag;
              tagsHigh[w] = tagHigh;
              l1Metas[w] = meta;
              denials[w] = DENIALS[(meta & RAW) | state[WRITE_PROTECT]!]!;
            }
          }
        }
        if (isDone) {
          tick = (tick + 1) | 0;
          ages[w] = tick;
          if (state[OVERLAP] === 0 || masks[w] === -1) hints[(key ^ (key >>> 10)) & 1023] = w;
          sum = (sum + l1Frames[w]!) | 0;
          stores = (stores + (hw >>> 31)) | 0;
          lastWay = w;
          k = (k + 1) | 0;
          continue;
        }
      }
      state[TICK] = tick;
      state[SUM] = sum;
      const done = slow(lo, hw) | 0;
      tick = state[TICK]!;
      sum = state[SUM]!;
      shift = hintShift();
      if (done === -2) break;
      lastWay = done;
      stores = (stores + (hw >>> 31)) | 0;
      fetches = (fetches + ((hw >>> 30) & 1)) | 0;
      k = (k + 1) | 0;
    }
    state[TICK] = tick;
    state[SUM] = sum;
    if (lastWay >= 0) {
      const lo = lows[k - 1]!;
      const vLow = (lo >>> 12) | (highs[k - 1]! << 20);
      state[LAST] = l1Frames[lastWay]! + (vLow & ~masks[lastWay]!);
    }
    counts[C_L1] = (counts[C_L1]! + hits) | 0;
    counts[C_STORES] = (counts[C_STORES]! + stores) | 0;
    counts[C_FETCHES] = (counts[C_FETCHES]! + fetches) | 0;
    // No other counter grows faster than these, at most 64 references per access, a batch at a time.
    if (Math.max(counts[C_L1], counts[C_REF_GUEST]!, counts[C_REF_NESTED]!) > 0x3fff_0000) spill();
    return k;
  }

  /** Moves the int32 counts into the totals before they can overflow. */
  function spill(): void {
    for (let i = 0; i < countersLength; i++) {
      totals[i] = totals[i]! + c[i]!;
      c[i] = 0;
    }
    for (let i = 0; i <= walkLengthMax; i++) {
      lengthTotals[i] = lengthTotals[i]! + lengths[i]!;
      lengths[i] = 0;
    }
  }

  // --- Invalidation ------------------------------------------------------------------------------------

  function dropL1(w: number): void {
    l1High[w] = 0;
    l1Age[w] = 0;
  }

  /** A large guest page that is cached in pieces is remembered by hash, for `dropPage`. */
  function noteFragment(vLow: number, meta: number, order: number): void {
    const guest = meta >>> guestShift;
    if (guest === order) return;
    s[FRAGMENTS_LIVE] = 1;
    fragments[fragmentHash(vLow, guest)] = 1;
  }

  function fragmentHash(vLow: number, guestOrder: number): number {
    return guestOrder === 9 ? (vLow >>> 9) & 1023 : 1024 | ((vLow >>> 18) & 1023);
  }

  /** Drops TLB entries that cover the page, or another piece of its large guest page, under either tag. */
  function dropPage(vpn: Vpn, contextA: number, contextB: number): void {
    const vLow = vpn | 0;
    const vHigh = (vpn / 0x1_0000_0000) & VPN_HIGH;
    const highA = contextA | vHigh;
    const highB = contextB | vHigh;
    const isPieced =
      s[FRAGMENTS_LIVE] !== 0 &&
      (fragments[fragmentHash(vLow, 9)]! | fragments[fragmentHash(vLow, 18)]!) !== 0;
    if (isPieced) dropPieces(vLow, highA, highB);
    else dropWhole(vLow, highA, highB);
    if ((s[SIZES]! & 4) === 0) return;
    for (let g = 0; g < bgHigh.length; g++) {
      if (bgLow[g] !== (vLow >>> 18) << 18) continue;
      if (bgHigh[g] === highA || bgHigh[g] === highB) dropBig(g);
    }
  }

  /** Every entry is looked at: pieces lie anywhere. */
  function dropPieces(vLow: number, highA: number, highB: number): void {
    for (let w = 0; w < l1Entries; w++) {
      const covers = ((l1Low[w]! ^ vLow) & (-1 << (l1Meta[w]! >>> guestShift))) === 0;
      if (covers && (l1High[w] === highA || l1High[w] === highB)) dropL1(w);
    }
    for (let v = 1; hasStlb && v <= stEntries; v++) {
      const covers = ((stLow[v]! ^ vLow) & (-1 << (stMeta[v]! >>> guestShift))) === 0;
      if (covers && (stHigh[v] === highA || stHigh[v] === highB)) dropStlb(v);
    }
  }

  function dropInBank(b: number, vLow: number, highA: number, highB: number): void {
    const order = bankOrder[b]!;
    const tag = (vLow >>> order) << order;
    const base = bankBase[b]! + ((vLow >>> order) & bankMask[b]!) * bankWays[b]!;
    for (let w = base, end = base + bankWays[b]!; w < end; w++) {
      if (l1Low[w] === tag && (l1High[w] === highA || l1High[w] === highB)) dropL1(w);
    }
  }

  /** Entries of whole pages lie in one set per size (a third of the time of a run full of faults). */
  function dropWhole(vLow: number, highA: number, highB: number): void {
    const sizes = s[SIZES]!;
    for (let b = 0; b < 5; b++) {
      if ((sizes & bankSize[b]!) !== 0) dropInBank(b, vLow, highA, highB);
    }
    if (!hasStlb) return;
    if ((sizes & 1) !== 0) dropInStlb(vLow, 0, highA, highB);
    if ((sizes & 2) !== 0) dropInStlb((vLow >>> 9) << 9, 9, highA, highB);
  }

  function dropInStlb(tag: number, order: number, highA: number, highB: number): void {
    let v = stBucket[bucketOf(tag >>> order)]!;
    while (v !== 0) {
      const after = stChain[v]!;
      if (stLow[v] === tag && orderOf(stMeta[v]!) === order) {
        if (stHigh[v] === highA || stHigh[v] === highB) dropStlb(v);
      }
      v = after;
    }
  }

  const contextMask = ~VPN_HIGH;

  function dropWalkCache(context: number): void {
    for (let v = 0; v < pwEntries; v++) {
      if ((pwHigh[v]! & contextMask) === context) {
        pwHigh[v] = 0;
        pwAge[v] = 0;
      }
    }
  }

  /** Drops what is tagged by `matches`; used where renaming would disturb the order of other entries. */
  function dropContexts(matches: (context: number) => boolean): void {
    for (let w = 0; w < l1Entries; w++) if (matches(l1High[w]! & contextMask)) dropL1(w);
    for (let v = 1; v <= stEntries; v++) {
      if (stHigh[v] !== 0 && matches(stHigh[v]! & contextMask)) dropStlb(v);
    }
    for (let v = 0; v < bgHigh.length; v++) {
      if (!matches(bgHigh[v]! & contextMask)) continue;
      bgHigh[v] = 0;
      bgAge[v] = 0;
    }
    for (let v = 0; v < pwEntries; v++) {
      if (!matches(pwHigh[v]! & contextMask)) continue;
      pwHigh[v] = 0;
      pwAge[v] = 0;
    }
  }

  function dropContext(id: number): void {
    // Alone in the caches: renaming drops it at no cost.
    if (id === pcid && contexts.size === 2 && s[GLOBALS_LIVE] === 0) rename();
    else if (contexts.has(keyOf(id))) {
      const context = intern(keyOf(id));
      dropContexts((other) => other === context);
    }
  }

  function dropNestedAll(): void {
    s[EPOCH] = s[EPOCH]! + 1;
    s[NESTED_SIZES] = 0;
    s[NESTED_UNIFORM] = 0;
    ntBucket.fill(0);
    ntOrder.fill(unused);
  }

  function count(index: number): void {
    totals[index] = totals[index]! + 1;
  }

  function invalidateFault(vpn: Vpn): void {
    dropPage(vpn, s[CTX]!, s[CTX_GLOBAL]!);
    const vLow = vpn | 0;
    const vHigh = (vpn / 0x1_0000_0000) & VPN_HIGH;
    // Where there is nothing of a level, its cache has no ways.
    for (let shift = 9; shift <= 36; shift += 9) {
      const v = findPwc(shift, vLow, vHigh) | 0;
      if (v < 0) continue;
      pwHigh[v] = 0;
      pwAge[v] = 0;
    }
  }

  return {
    low,
    high,
    run,
    lastPfn: () => (s[LAST]! >>> 0) as Pfn,
    stopReason: () => s[STOP]!,
    stopError: () => s[STOP_ERROR]!,
    stopGfn: () => (s[STOP_GFN]! >>> 0) as Gfn,
    stopKind: () =>
      s[STOP_KIND] === WRITE ? "write" : s[STOP_KIND] === FETCHING ? "fetch" : "read",
    stopDuringWalk: () => s[STOP_DURING] !== 0,

    configure(to: NestedPaging | null, registers: Registers, ofVpid: number) {
      const changed =
        s[SHIFT] !== 9 * (registers.levels - 1) ||
        to?.root !== nestedNow?.root ||
        to?.levels !== nestedNow?.levels ||
        to?.format !== nestedNow?.format;
      nestedNow = to;
      s[SHIFT] = 9 * (registers.levels - 1);
      s[WRITE_PROTECT] = registers.writeProtect ? writeProtected : 0;
      s[GLOBAL_PAGES] = registers.globalPages ? 1 : 0;
      for (let w = 0; w < l1Entries; w++) l1Deny[w] = DENY[(l1Meta[w]! & RAW) | s[WRITE_PROTECT]]!;
      s[NESTED] = to === null ? 0 : 1;
      if (to !== null) {
        s[NESTED_ROOT] = memory.slot(to.root) << slotShift;
        s[NESTED_SHIFT] = 9 * (to.levels - 1);
        s[NESTED_EPT] = to.format === "ept" ? 1 : 0;
        s[NESTED_AD] = to.accessedDirty || to.format === "npt" ? 1 : 0;
        s[NESTED_NEED] = EPT_R | EPT_W | EPT_X | (to.accessedDirty ? EPT_A : 0);
        s[TABLE_ACCESS] = s[NESTED_AD] !== 0 ? WRITE : READ;
      }
      vpid = ofVpid;
      if (changed) {
        rename();
        dropNestedAll();
      } else {
        nameContexts();
      }
    },
    setPml(buffer) {
      s[PML] = buffer ?? -1;
    },
    pmlIndex: () => s[PML_INDEX]!,
    resetPml() {
      s[PML_INDEX] = 511;
    },
    setRoot(root: MmuRoot) {
      s[ROOT] = root.frame;
      pcid = root.pcid;
      s[CTX] = intern(keyOf(pcid));
    },

    invalidatePage(vpn) {
      count(C_PAGE);
      dropPage(vpn, s[CTX]!, s[CTX_GLOBAL]!);
      dropWalkCache(s[CTX]!);
    },
    invalidatePageOf(vpn, id) {
      count(C_PAGE);
      if (!contexts.has(keyOf(id))) return;
      const context = intern(keyOf(id));
      dropPage(vpn, context, context);
      dropWalkCache(context);
    },
    invalidateFault,
    flushContext(id) {
      count(C_CONTEXT);
      dropContext(id);
    },
    flushNonGlobal() {
      count(C_CONTEXT);
      const own = new Set<number>();
      for (const [key, context] of contexts) {
        const isOwn = Math.floor(key / (2 * globalsOfVpid)) === vpid;
        if (isOwn && key !== keyOf(globalsOfVpid)) own.add(VALID | (context << contextShift));
      }
      dropContexts((context) => own.has(context));
    },
    flushLinear() {
      count(C_LINEAR);
      rename();
    },
    flushNested() {
      count(C_NESTED_FLUSH);
      rename();
      dropNestedAll();
    },
    invalidateViolation(gfn, vpn) {
      invalidateFault(vpn);
      const g = gfn | 0;
      if (hasNtlb) for (let v = findNested(g); v !== 0; v = findNested(g)) dropNested(v);
      for (let level = 2; level <= 5; level++) {
        const tag = level === 5 ? 0 : g >>> (9 * (level - 1));
        const ways = npWays[level]!;
        const base = npBase[level]! + (tag & npMask[level]!) * ways;
        for (let v = base; v < base + ways; v++) {
          if (npTag[v] !== tag || npEpoch[v] !== s[EPOCH]) continue;
          npEpoch[v] = 0;
          npAge[v] = 0;
        }
      }
    },

    collect(ledger, walkLengths) {
      spill();
      const take = (index: number): number => {
        const value = totals[index]!;
        totals[index] = 0;
        return value;
      };
      const done = totals[C_L1]! + totals[C_STLB]! + totals[C_MISS]!;
      ledger.accesses += done;
      ledger.stores += take(C_STORES);
      ledger.fetches += take(C_FETCHES);
      ledger.l1Hits += take(C_L1);
      ledger.stlbHits += take(C_STLB);
      ledger.stlbMisses += take(C_MISS);
      ledger.dirtyAssists += take(C_ASSIST);
      ledger.walks += take(C_WALKS);
      ledger.walkReferencesGuest += take(C_REF_GUEST);
      ledger.walkReferencesNested += take(C_REF_NESTED);
      ledger.pwcHitsLevel2 += take(C_PWC);
      ledger.pwcHitsLevel3 += take(C_PWC + 1);
      ledger.pwcHitsLevel4 += take(C_PWC + 2);
      ledger.pwcHitsLevel5 += take(C_PWC + 3);
      ledger.nestedTlbHits += take(C_NTLB_HIT);
      ledger.nestedTlbMisses += take(C_NTLB_MISS);
      ledger.nestedPwcHitsLevel2 += take(C_NPWC);
      ledger.nestedPwcHitsLevel3 += take(C_NPWC + 1);
      ledger.nestedPwcHitsLevel4 += take(C_NPWC + 2);
      ledger.nestedPwcHitsLevel5 += take(C_NPWC + 3);
      ledger.referenceL1Hits += take(C_LINES);
      ledger.referenceL2Hits += take(C_LINES + 1);
      ledger.referenceLlcHits += take(C_LINES + 2);
      ledger.referenceDram += take(C_LINES + 3);
      ledger.accessedBitsSet += take(C_A);
      ledger.dirtyBitsSet += take(C_D);
      ledger.pmlAppends += take(C_PML);
      ledger.flushesPage += take(C_PAGE);
      ledger.flushesContext += take(C_CONTEXT);
      ledger.flushesLinear += take(C_LINEAR);
      ledger.flushesNested += take(C_NESTED_FLUSH);
      for (let i = 0; i <= walkLengthMax; i++) {
        walkLengths[i] = walkLengths[i]! + lengthTotals[i]!;
        lengthTotals[i] = 0;
      }
    },
    reset() {
      restore();
      totals.fill(0);
      lengthTotals.fill(0);
      dataCache?.reset();
      powerOn();
    },
    checksum: () => s[SUM]! >>> 0,
    lastWalk() {
      const references: WalkReference[] = [];
      for (let n = 0; n < s[REFS]!; n++) {
        const word = refWord[n]!;
        references.push({
          dimension: refWhat[n]! >= 64 ? "nested" : "guest",
          level: levelOf(refWhat[n]! & 63),
          pfn: pfnOfSlot[word >>> slotShift]! as Pfn,
          index: (word >>> 1) & 511,
          low: words[word]!,
          high: words[word + 1]!,
        });
      }
      return references;
    },
  };
};
