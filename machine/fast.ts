/**
 * The translation hardware of one vCPU, written for speed: the only file that is.
 *
 * It is one closure over typed arrays. V8 folds the arrays' addresses into the code as long as the factory
 * has run once in its module instance, so a worker that wants full speed imports this file afresh, with a
 * query string (two engines sharing code cost 1.2x to 1.9x). `bench/oracle/plain-mmu.ts` is its obvious
 * twin: a differential test holds every counter, byte and stop of the one against the other.
 *
 * Tricks, with what each gained on uniform or random streams when it was tried in isolation:
 * - hits run in a loop without a call, further accesses to the same page in a loop inside it (4.6 to 1.5 ns);
 * - a hint table finds the L1 way without a search, checked by tag, so it changes nothing (11.8 to 3.9 ns);
 * - a counting filter proves "not in the STLB" without a scan, recency is a linked ring (22.8 to 16.4 ns);
 * - `PhysicalMemory.next` saves a dependent load per nested reference (81 to 65 ns per 2D walk);
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
const { A, D, EPT_A, EPT_D, G, P, PS, RESERVED_HIGH } = pte;
const { PF_FETCH, PF_PRESENT, PF_RESERVED, PF_USER, PF_WRITE } = pte;
const { HIGH_MASK, STOP_EPT_VIOLATION, STOP_NONE, STOP_OUTSIDE, STOP_PAGE_FAULT, STOP_PML_FULL } =
  unit;
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

/** Kinds of access to guest-physical memory. */
const READ = 0;
const WRITE = 1;
const FETCHING = 2;

/** Indices into the scalar state `s`. Scalars live in a typed array: a closure variable would be boxed. */
const CTX = 0;
const CTX_GLOBAL = 1;
const TICK = 2;
const LEVELS = 3;
const ROOT = 4;
const NESTED = 5;
const NESTED_ROOT = 6;
const NESTED_LEVELS = 7;
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
const W_FRAME = 22;
const W_ORDER = 23;
const W_RAW = 24;
const N_ORDER = 25;
const N_FLAGS = 26;
const EPOCH = 27;
const REFS = 28;
const GLOBALS_LIVE = 29;
const LARGE_LIVE = 30;
const LARGE_NESTED_LIVE = 31;
const TICK_PWC = 32;
const W_GUEST = 33;
const FRAGMENTS_LIVE = 34;
/** -1 once entries of two sizes cover one page (the guest did not flush): hints then serve 4 KiB pages only. */
const OVERLAP = 35;
const SMALL_LIVE = 36;
/** Frames that exist: `PhysicalMemory.frames`, which changes when memory is reset. */
const FRAMES = 37;

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

/** Ring lists of recency: within a set, `next` leads from recent to old, `previous(head)` is the victim. */
interface Rings {
  readonly next: Int16Array;
  readonly previous: Int16Array;
  readonly head: Int16Array;
}

function rings({ sets, ways }: Geometry): Rings {
  const next = new Int16Array(sets * ways);
  const previous = new Int16Array(sets * ways);
  const head = new Int16Array(sets);
  for (let set = 0; set < sets; set++) {
    const base = set * ways;
    head[set] = base;
    for (let way = 0; way < ways; way++) {
      next[base + way] = base + ((way + 1) % ways);
      previous[base + way] = base + ((way + ways - 1) % ways);
    }
  }
  return { next, previous, head };
}

/** Per level 2..5 of a walk cache: where its ways start, sets - 1, ways (0: there is none). */
function levelGeometry(levels: Readonly<Record<2 | 3 | 4 | 5, Geometry | null>>) {
  const base = new Int32Array(6);
  const mask = new Int32Array(6);
  const ways = new Int32Array(6);
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

/** Which kinds of access an entry with these raw rights allows: bit (store << 2 | fetch << 1 | user). */
function allowTable(): Uint8Array {
  const table = new Uint8Array(64);
  for (let raw = 0; raw < 32; raw++) {
    for (const writeProtect of [0, 1]) {
      let allowed = 1;
      const user = (raw & R_U) !== 0;
      const executable = (raw & R_X) !== 0 && (raw & RAW_NESTED_X) !== 0;
      const store = (raw & RAW_STORE) !== 0;
      if (user) allowed |= 2;
      if (executable) allowed |= 4;
      if (executable && user) allowed |= 8;
      if (store && ((raw & R_W) !== 0 || writeProtect === 0)) allowed |= 16;
      if (store && (raw & R_W) !== 0 && user) allowed |= 32;
      table[raw | (writeProtect << 5)] = allowed;
    }
  }
  return table;
}

/** A unit that can serve another machine on the same memory, its code compiled and warm. */
export interface ResettableMmu extends Mmu {
  /** Power-on again: nothing cached, nothing counted. Reset the memory first. */
  reset(): void;
}

export const fastMmu = (memory: PhysicalMemory, preset: Preset): ResettableMmu => {
  const { words, slotOf, next, pfnOfSlot } = memory;
  const low = new Int32Array(unit.columnLength);
  const high = new Int32Array(unit.columnLength);
  const s = new Int32Array(40);
  const c = new Int32Array(countersLength);
  const totals = new Float64Array(countersLength);
  const lengths = new Float64Array(walkLengthMax + 1);
  const ALLOW = allowTable();

  // L1: banks data 4k, 2m, 1g, then code 4k, 2m. Age stamps: a hit is one store.
  const banks = [
    preset.l1Data["4k"],
    preset.l1Data["2m"],
    preset.l1Data["1g"],
    preset.l1Code["4k"],
    preset.l1Code["2m"],
  ];
  const bankOrder = Int32Array.from([0, 9, 18, 0, 9]);
  const bankBase = new Int32Array(5);
  const bankMask = new Int32Array(5);
  const bankWays = new Int32Array(5);
  let l1Entries = 0;
  banks.forEach((bank, i) => {
    bankBase[i] = l1Entries;
    if (bank === null) return;
    bankMask[i] = bank.sets - 1;
    bankWays[i] = bank.ways;
    l1Entries += bank.sets * bank.ways;
  });
  const d4Mask = bankMask[0]!;
  const d4Ways = bankWays[0]!;
  const isPlain = d4Ways !== 0 && preset.stlb !== null;
  const l1Low = new Int32Array(l1Entries + 1);
  const l1High = new Int32Array(l1Entries + 1);
  const l1Mask = new Int32Array(l1Entries + 1).fill(-1);
  /** The guest page's mask: INVLPG drops all pieces of a large guest page, whichever it names. */
  const l1Guest = new Int32Array(l1Entries + 1).fill(-1);
  const l1Frame = new Int32Array(l1Entries + 1);
  const l1Allow = new Uint8Array(l1Entries + 1);
  const l1Raw = new Uint8Array(l1Entries + 1);
  const l1Age = new Int32Array(l1Entries + 1);
  // Way by hash of the VPN, data in the first half, code in the second. A wrong hint only costs a search.
  const hint = new Int16Array(2048).fill(l1Entries);

  // STLB: entries of `stlb` (4k and 2m), then those of `stlb1g`.
  const stlb = preset.stlb ?? { sets: 1, ways: 1 };
  const hasStlb = preset.stlb !== null;
  const hasStlb2m = preset.stlb2m;
  const stMask = stlb.sets - 1;
  const stWays = stlb.ways;
  const stEntries = stlb.sets * stlb.ways;
  const big = preset.stlb1g ?? { sets: 1, ways: 1 };
  const hasBig = preset.stlb1g !== null;
  const stLow = new Int32Array(stEntries);
  const stHigh = new Int32Array(stEntries);
  const stFrame = new Int32Array(stEntries);
  const stRaw = new Uint8Array(stEntries);
  const stOrder = new Uint8Array(stEntries);
  const stGuest = new Uint8Array(stEntries);
  /** Large guest pages, by hash of their number, of which some piece was cached since the last full flush. */
  const fragments = new Uint8Array(2048);
  const { next: stNext, previous: stPrevious, head: stHead } = rings(stlb);
  const stCount = new Uint16Array(16_384);
  const stHint = new Int16Array(4096);
  const bgLow = new Int32Array(big.sets * big.ways);
  const bgHigh = new Int32Array(big.sets * big.ways);
  const bgFrame = new Int32Array(big.sets * big.ways);
  const bgRaw = new Uint8Array(big.sets * big.ways);
  const bgAge = new Int32Array(big.sets * big.ways);

  // Paging-structure caches of the guest dimension. Payload: where the next table starts, rights so far.
  const {
    base: pwBase,
    mask: pwMask,
    ways: pwWays,
    entries: pwEntries,
  } = levelGeometry(preset.pwc);
  const pwLow = new Int32Array(pwEntries);
  const pwHigh = new Int32Array(pwEntries);
  const pwTable = new Int32Array(pwEntries);
  const pwFrame = new Int32Array(pwEntries);
  const pwRights = new Uint8Array(pwEntries);
  const pwAge = new Int32Array(pwEntries);

  // The nested dimension's: tagged by epoch, which INVEPT advances.
  const nestedLevels = levelGeometry(preset.nestedPwc);
  const { base: npBase, mask: npMask, ways: npWays, entries: npEntries } = nestedLevels;
  const npTag = new Int32Array(npEntries);
  const npEpoch = new Int32Array(npEntries);
  const npTable = new Int32Array(npEntries);
  const npRights = new Uint8Array(npEntries);
  const npAge = new Int32Array(npEntries);
  const ntlb = preset.nestedTlb ?? { sets: 1, ways: 1 };
  const hasNtlb = preset.nestedTlb !== null;
  const ntMask = ntlb.sets - 1;
  const ntWays = ntlb.ways;
  const ntEntries = ntlb.sets * ntlb.ways;
  const ntTag = new Int32Array(ntEntries);
  const ntEpoch = new Int32Array(ntEntries);
  const ntOrder = new Uint8Array(ntEntries);
  const ntFrame = new Int32Array(ntEntries);
  const ntFlags = new Uint8Array(ntEntries);
  const { next: ntNext, previous: ntPrevious, head: ntHead } = rings(ntlb);
  const ntCount = new Uint16Array(1024);

  // Every reference of the last walk: the arena word, and dimension << 3 | level.
  const refWord = new Int32Array(referencesMax);
  const refWhat = new Uint8Array(referencesMax);
  const dataCache = preset.dataCache === null ? null : createDataCache(preset.dataCache);

  const contexts = new Map<number, number>();
  let contextNext = 1;
  let pcid = 0;
  let vpid = 0;
  let nestedNow: NestedPaging | null = null;

  /** Everything that changes, as it was made: what `reset` goes back to. */
  const state = [
    [low, high, s, c, totals, lengths],
    [l1Low, l1High, l1Mask, l1Guest, l1Frame, l1Allow, l1Raw, l1Age, hint],
    [stLow, stHigh, stFrame, stRaw, stOrder, stGuest, fragments],
    [stNext, stPrevious, stHead, stCount, stHint, bgLow, bgHigh, bgFrame, bgRaw, bgAge],
    [pwLow, pwHigh, pwTable, pwFrame, pwRights, pwAge],
    [npTag, npEpoch, npTable, npRights, npAge],
    [ntTag, ntEpoch, ntOrder, ntFrame, ntFlags, ntNext, ntPrevious, ntHead, ntCount],
    [refWord, refWhat],
  ]
    .flat()
    .map((array) => ({ array, made: array.slice() }));

  function powerOn(): void {
    contexts.clear();
    contextNext = 1;
    pcid = 0;
    vpid = 0;
    nestedNow = null;
    s[EPOCH] = 1;
    s[LEVELS] = 4;
    s[WRITE_PROTECT] = 1 << 5;
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
    stCount.fill(0);
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
    s[LARGE_LIVE] = 0;
    if (s[FRAGMENTS_LIVE] !== 0) fragments.fill(0);
    s[FRAGMENTS_LIVE] = 0;
    s[OVERLAP] = 0;
    s[SMALL_LIVE] = 0;
    nameContexts();
  }
  powerOn();

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

  /** x86-64: address bits that the machine lacks, PS where no page is, address bits below a large page. */
  function isReserved(level: number, e: number, h: number): boolean {
    if ((h & RESERVED_HIGH) !== 0) return true;
    if ((e & PS) === 0 || level === 1) return false;
    return (e & (level === 2 ? 0x1f_e000 : level === 3 ? 0x3fff_e000 : -1)) !== 0;
  }

  // --- Nested dimension: gfn to pfn --------------------------------------------------------------------

  function violation(gfn: number, kind: number): number {
    s[STOP] = STOP_EPT_VIOLATION;
    s[STOP_GFN] = gfn;
    s[STOP_KIND] = kind;
    return -1;
  }

  function findNested(gfn: number): number {
    if (ntCount[(gfn ^ (gfn >>> 10)) & 1023] !== 0) {
      const v = findNestedOf(gfn, 0) | 0;
      if (v >= 0) return v;
    }
    if (s[LARGE_NESTED_LIVE] === 0) return -1;
    const v = findNestedOf(gfn, 9) | 0;
    return v >= 0 ? v : findNestedOf(gfn, 18) | 0;
  }

  function findNestedOf(gfn: number, order: number): number {
    const epoch = s[EPOCH]!;
    const tag = (gfn >>> order) << order;
    const base = ((gfn >>> order) & ntMask) * ntWays;
    for (let v = base, end = base + ntWays; v < end; v++) {
      if (ntTag[v] === tag && ntEpoch[v] === epoch && ntOrder[v] === order) return v;
    }
    return -1;
  }

  /** Frame behind `gfn` for an access of `kind`, or -1 with the stop filled in. */
  function nested(gfn: number, kind: number): number {
    let v = -1;
    if (hasNtlb) {
      v = findNested(gfn) | 0;
      if (v >= 0 && (kind === READ || (ntFlags[v]! & kind) !== 0)) {
        c[C_NTLB_HIT] = (c[C_NTLB_HIT]! + 1) | 0;
        const order = ntOrder[v]!;
        touchNested(v, (gfn >>> order) & ntMask);
        s[N_ORDER] = order;
        s[N_FLAGS] = ntFlags[v]!;
        return (ntFrame[v]! + (gfn & ((1 << order) - 1))) | 0;
      }
    }
    c[C_NTLB_MISS] = (c[C_NTLB_MISS]! + 1) | 0;
    const pfn = nestedWalk(gfn, kind) | 0;
    if (pfn !== -1 && hasNtlb) fillNested(v, gfn, pfn);
    return pfn;
  }

  function fillNested(found: number, gfn: number, pfn: number): void {
    const order = s[N_ORDER]!;
    const tag = (gfn >>> order) << order;
    const set = (gfn >>> order) & ntMask;
    let v = found;
    if (v >= 0 && ntOrder[v] !== order) {
      // Found as a page of another size; it may be there already as one of this size.
      dropNested(v);
      v = findNestedOf(gfn, order) | 0;
    }
    if (v < 0) {
      v = ntPrevious[ntHead[set]!]!;
      dropNestedCount(v);
      ntTag[v] = tag;
      ntEpoch[v] = s[EPOCH]!;
      ntOrder[v] = order;
      const hash = (tag ^ (tag >>> 10)) & 1023;
      ntCount[hash] = ntCount[hash]! + 1;
      if (order !== 0) s[LARGE_NESTED_LIVE] = 1;
    }
    ntFrame[v] = pfn - (gfn & ((1 << order) - 1));
    ntFlags[v] = s[N_FLAGS]!;
    touchNested(v, set);
  }

  function dropNestedCount(v: number): void {
    if (ntEpoch[v] === 0) return;
    const tag = ntTag[v]!;
    const hash = (tag ^ (tag >>> 10)) & 1023;
    ntCount[hash] = ntCount[hash]! - 1;
  }

  /** An invalid way becomes its set's next victim. */
  function dropNested(v: number): void {
    dropNestedCount(v);
    ntEpoch[v] = 0;
    const set = (v / ntWays) | 0;
    touchNested(v, set);
    ntHead[set] = ntNext[v]!;
  }

  function nestedWalk(gfn: number, kind: number): number {
    const ept = s[NESTED_EPT]!;
    const ad = s[NESTED_AD]!;
    const accessed = ad === 0 ? 0 : ept !== 0 ? EPT_A : A;
    let level = s[NESTED_LEVELS]!;
    let table = s[NESTED_ROOT]!;
    let rights = 7;
    for (let l = 2, top = level; l <= top; l++) {
      const ways = npWays[l]!;
      if (ways === 0) continue;
      const tag = l === 5 ? 0 : gfn >>> (9 * (l - 1));
      const base = npBase[l]! + (tag & npMask[l]!) * ways;
      let v = base;
      const end = base + ways;
      while (v < end && (npTag[v] !== tag || npEpoch[v] !== s[EPOCH])) v++;
      if (v === end) continue;
      npAge[v] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
      c[C_NPWC + l - 2] = c[C_NPWC + l - 2]! + 1;
      table = npTable[v]!;
      rights = npRights[v]!;
      level = l - 1;
      break;
    }
    let refs = s[REFS]!;
    const refs0 = refs;
    for (;;) {
      const i = table | (level === 5 ? 0 : ((gfn >>> (9 * (level - 1))) & 511) << 1);
      const e = words[i]!;
      refWord[refs] = i;
      refWhat[refs] = 8 | level;
      refs = (refs + 1) | 0;
      // Both formats as R, W, X in bits 0, 1, 2. AMD treats nested accesses as user accesses.
      const own =
        ept !== 0 ? e & 7 : (e & 5) === 5 ? 1 | (e & 2) | ((~words[i + 1]! >>> 29) & 4) : 0;
      rights &= own;
      const isLeaf = level === 1 || ((e & PS) !== 0 && level <= 3);
      if (own === 0 || (isLeaf && (rights & (1 << kind)) === 0)) {
        s[REFS] = refs;
        c[C_REF_NESTED] = (c[C_REF_NESTED]! + refs - refs0) | 0;
        return violation(gfn, kind);
      }
      if (isLeaf) {
        let entry = e;
        const need = ad === 0 ? 0 : accessed | (kind === WRITE ? (ept !== 0 ? EPT_D : D) : 0);
        if ((e & need) !== need) entry = setNestedBits(i, e, need, gfn) | 0;
        s[REFS] = refs;
        c[C_REF_NESTED] = (c[C_REF_NESTED]! + refs - refs0) | 0;
        if (entry === 0) return -1;
        const storable =
          ad === 0 || (entry & (ept !== 0 ? EPT_D : D)) !== 0 ? (rights >>> 1) & 1 : 0;
        const order = 9 * (level - 1);
        s[N_ORDER] = order;
        s[N_FLAGS] = storable | ((rights >>> 1) & 2);
        const inPage = (1 << order) - 1;
        return (((e >>> 12) | (words[i + 1]! << 20)) & ~inPage) | (gfn & inPage) | 0;
      }
      if ((e & accessed) !== accessed) {
        words[i] = e | accessed;
        c[C_A] = c[C_A]! + 1;
      }
      table = next[i >>> 1]!;
      if (table === 0) {
        table = link(i) | 0;
        if (table === -1) {
          s[REFS] = refs;
          c[C_REF_NESTED] = (c[C_REF_NESTED]! + refs - refs0) | 0;
          return -1;
        }
      }
      if (npWays[level] !== 0) fillNestedPwc(level, gfn, table, rights);
      level = (level - 1) | 0;
    }
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

  function fillNestedPwc(level: number, gfn: number, table: number, rights: number): void {
    const tag = level === 5 ? 0 : gfn >>> (9 * (level - 1));
    const ways = npWays[level]!;
    const base = npBase[level]! + (tag & npMask[level]!) * ways;
    let victim = base;
    for (let v = base, end = base + ways; v < end; v++) {
      if (npTag[v] === tag && npEpoch[v] === s[EPOCH]) {
        victim = v;
        break;
      }
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

  /** Tag of the walk-cache entry at `level` for a page: low half. */
  function prefixLow(level: number, vLow: number, vHigh: number): number {
    const shift = 9 * (level - 1);
    return shift < 32 ? (vLow >>> shift) | (vHigh << (32 - shift)) : vHigh >>> (shift - 32);
  }

  function prefixHigh(level: number, vHigh: number): number {
    const shift = 9 * (level - 1);
    return shift < 32 ? vHigh >>> shift : 0;
  }

  function fillPwc(
    level: number,
    vLow: number,
    vHigh: number,
    table: number,
    frame: number,
    rights: number,
  ): void {
    const tag = prefixLow(level, vLow, vHigh) | 0;
    const tagHigh = s[CTX]! | prefixHigh(level, vHigh);
    const ways = pwWays[level]!;
    const base = pwBase[level]! + (tag & pwMask[level]!) * ways;
    let victim = base;
    let age = pwAge[base]!;
    for (let v = base, end = base + ways; v < end; v++) {
      if (pwLow[v] === tag && pwHigh[v] === tagHigh) {
        victim = v;
        break;
      }
      const older = (pwAge[v]! - age) >> 31;
      age = (age + ((pwAge[v]! - age) & older)) | 0;
      victim = (victim & ~older) | (v & older);
    }
    pwLow[victim] = tag;
    pwHigh[victim] = tagHigh;
    pwTable[victim] = table;
    pwFrame[victim] = frame;
    pwRights[victim] = rights;
    pwAge[victim] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
  }

  /** Sets `bits` (A, D) in a guest entry. False when the write to its table is refused by the second dimension. */
  function setGuestBits(i: number, e: number, bits: number, tableGfn: number): boolean {
    if (s[NESTED] !== 0 && s[TABLE_ACCESS] === READ && nested(tableGfn, WRITE) === -1) return false;
    if ((bits & A & ~e) !== 0) c[C_A] = c[C_A]! + 1;
    if ((bits & D & ~e) !== 0) c[C_D] = c[C_D]! + 1;
    words[i] = e | bits;
    return true;
  }

  function walk(vLow: number, vHigh: number, kind: number): number {
    s[REFS] = 0;
    const outcome = walkLevels(vLow, vHigh, kind) | 0;
    c[C_WALKS] = (c[C_WALKS]! + 1) | 0;
    const refs = s[REFS];
    const bin = refs > walkLengthMax ? walkLengthMax : refs;
    lengths[bin] = lengths[bin]! + 1;
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

  /** One loop over the levels, one nested call per table: the whole two-dimensional walk. */
  function walkLevels(vLow: number, vHigh: number, kind: number): number {
    const isNested = s[NESTED] !== 0;
    const tableAccess = s[TABLE_ACCESS]!;
    const top = s[LEVELS]!;
    let level = top;
    let table = -1;
    let tableFrame = 0;
    let rights = 7;
    s[STOP_DURING] = 1;
    for (let l = 2; l <= top; l++) {
      const ways = pwWays[l]!;
      if (ways === 0) continue;
      const tag = prefixLow(l, vLow, vHigh) | 0;
      const tagHigh = s[CTX]! | prefixHigh(l, vHigh);
      let v = (pwBase[l]! + (tag & pwMask[l]!) * ways) | 0;
      const end = (v + ways) | 0;
      while (v < end && (pwLow[v] !== tag || pwHigh[v] !== tagHigh)) v = (v + 1) | 0;
      if (v === end) continue;
      pwAge[v] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
      c[C_PWC + l - 2] = (c[C_PWC + l - 2]! + 1) | 0;
      table = pwTable[v]!;
      tableFrame = pwFrame[v]!;
      rights = pwRights[v]!;
      level = (l - 1) | 0;
      break;
    }
    if (table === -1) {
      tableFrame = s[ROOT]!;
      if (isNested) {
        const pfn = nested(tableFrame, tableAccess) | 0;
        if (pfn === -1) return 0;
        table = tableAt(pfn) | 0;
      } else {
        table = tableAt(tableFrame) | 0;
      }
      if (table === -1) return 0;
    }
    let e = 0;
    let h = 0;
    let i = 0;
    for (;;) {
      const at = 9 * (level - 1);
      const index = at < 27 ? vLow >>> at : at === 27 ? (vLow >>> 27) | (vHigh << 5) : vHigh >>> 4;
      i = table | ((index & 511) << 1);
      e = words[i]!;
      h = words[i + 1]!;
      const refs = s[REFS]!;
      refWord[refs] = i;
      refWhat[refs] = level;
      s[REFS] = (refs + 1) | 0;
      c[C_REF_GUEST] = (c[C_REF_GUEST]! + 1) | 0;
      if ((e & P) === 0) return pageFault(kind, 0);
      if ((h & RESERVED_HIGH) !== 0) return pageFault(kind, PF_PRESENT | PF_RESERVED);
      rights &= ((e >>> 1) & 3) | ((~h >>> 29) & 4);
      if (level === 1) break;
      if ((e & PS) !== 0) {
        if (isReserved(level, e, h)) return pageFault(kind, PF_PRESENT | PF_RESERVED);
        break;
      }
      if ((e & A) === 0 && !setGuestBits(i, e, A, tableFrame)) return 0;
      tableFrame = (e >>> 12) | (h << 20);
      if (isNested) {
        const pfn = nested(tableFrame, tableAccess) | 0;
        if (pfn === -1) return 0;
        table = tableAt(pfn) | 0;
      } else {
        table = next[i >>> 1]!;
        if (table === 0) table = link(i) | 0;
      }
      if (table === -1) return 0;
      if (pwWays[level] !== 0) fillPwc(level, vLow, vHigh, table, tableFrame, rights);
      level = (level - 1) | 0;
    }
    return finish(vLow, kind, level, i, rights, tableFrame) | 0;
  }

  function outside(frame: number): number {
    s[STOP] = STOP_OUTSIDE;
    s[STOP_GFN] = frame;
    return 0;
  }

  /** The leaf entry is at `i`: rights, A and D, and the page itself in the second dimension. */
  function finish(
    vLow: number,
    kind: number,
    level: number,
    i: number,
    rights: number,
    tableFrame: number,
  ): number {
    let e = words[i]!;
    const isStore = kind >>> 2;
    const denied =
      (isStore !== 0 && (rights & R_W) === 0 && ((kind & 1) !== 0 || s[WRITE_PROTECT] !== 0)) ||
      ((kind & 1) !== 0 && (rights & R_U) === 0) ||
      ((kind & 2) !== 0 && (rights & R_X) === 0);
    if (denied) return pageFault(kind, PF_PRESENT);
    const need = A | (isStore << 6);
    if ((e & need) !== need) {
      if (!setGuestBits(i, e, need, tableFrame)) return 0;
      e |= need;
    }
    let order = 9 * (level - 1);
    s[W_GUEST] = order;
    const inPage = (1 << order) - 1;
    let frame = ((e >>> 12) | (words[i + 1]! << 20)) & ~inPage;
    let raw = rights | ((e & D) !== 0 ? RAW_STORE : 0) | RAW_NESTED_X;
    if ((e & G) !== 0 && s[GLOBAL_PAGES] !== 0) raw |= RAW_GLOBAL;
    if (s[NESTED] !== 0) {
      s[STOP_DURING] = 0;
      const pfn = nested(frame | (vLow & inPage), isStore !== 0 ? WRITE : kind & 2) | 0;
      if (pfn === -1) return 0;
      if (pfn >>> 0 >= s[FRAMES]!) return outside(pfn);
      if (s[N_ORDER]! < order) order = s[N_ORDER]!;
      frame = (pfn >>> order) << order;
      const flags = s[N_FLAGS]!;
      if ((flags & WRITE) === 0) raw &= ~RAW_STORE;
      if ((flags & FETCHING) === 0) raw &= ~RAW_NESTED_X;
    } else if ((frame | (vLow & inPage)) >>> 0 >= s[FRAMES]!) {
      return outside(frame | (vLow & inPage));
    }
    s[W_FRAME] = frame;
    s[W_ORDER] = order;
    s[W_RAW] = raw;
    return 1;
  }

  // --- TLBs --------------------------------------------------------------------------------------------

  function findL1(vLow: number, tagHigh: number, code: number): number {
    const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
    for (let b = code === 0 ? 0 : 3, last = code === 0 ? 3 : 5; b < last; b++) {
      const ways = bankWays[b]!;
      if (ways === 0) continue;
      const order = bankOrder[b]!;
      if (order !== 0 && s[LARGE_LIVE] === 0) break;
      const tag = (vLow >>> order) << order;
      const base = (bankBase[b]! + ((vLow >>> order) & bankMask[b]!) * ways) | 0;
      for (let w = base, end = (base + ways) | 0; w < end; w = (w + 1) | 0) {
        if (l1Low[w] === tag) {
          const h = l1High[w]!;
          if (h === tagHigh || h === globalHigh) return w;
        }
      }
    }
    return -1;
  }

  function allowOf(raw: number): number {
    return ALLOW[(raw & 31) | s[WRITE_PROTECT]!]!;
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

  /** Enters a page of `order` (or the fragment that a bank can hold) and returns its way, or -1. */
  function fillL1(
    vLow: number,
    vHigh: number,
    code: number,
    order: number,
    frame: number,
    raw: number,
  ): number {
    const b = bankFor(code, order);
    const first = code === 0 ? 0 : 3;
    if (b < first) return -1;
    const own = bankOrder[b]!;
    const ways = bankWays[b]!;
    const tag = (vLow >>> own) << own;
    const base = (bankBase[b]! + ((vLow >>> own) & bankMask[b]!) * ways) | 0;
    if ((raw & RAW_GLOBAL) !== 0) {
      for (let v = base; v < base + ways; v++) {
        if (l1Low[v] === tag && isReplaced(l1High[v]!, vHigh)) dropL1(v);
      }
    }
    let w = base;
    let age = l1Age[base]!;
    for (let v = (base + 1) | 0, end = (base + ways) | 0; v < end; v = (v + 1) | 0) {
      const older = (l1Age[v]! - age) >> 31;
      age = (age + ((l1Age[v]! - age) & older)) | 0;
      w = (w & ~older) | (v & older);
    }
    l1Low[w] = tag;
    l1High[w] = contextOf(raw) | vHigh;
    l1Mask[w] = -1 << own;
    l1Guest[w] = -1 << s[W_GUEST]!;
    if (own !== s[W_GUEST]) noteFragment(vLow);
    // The fragment's first frame: the page's, plus what lies between the two.
    l1Frame[w] = frame + (tag & ((1 << order) - 1));
    l1Raw[w] = raw;
    l1Allow[w] = allowOf(raw);
    if (own === 0) s[SMALL_LIVE] = 1;
    else s[LARGE_LIVE] = 1;
    const isMixed = s[LARGE_LIVE] !== 0 && (s[SMALL_LIVE] !== 0 || own === 18);
    if (isMixed && (own !== 0 || (raw & RAW_GLOBAL) !== 0)) markOverlap(w, first);
    if ((raw & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
    return w;
  }

  /** A new entry, large or global: does one of another size, whatever its context, cover part of it? */
  function markOverlap(w: number, first: number): void {
    for (let b = first, last = first === 0 ? 3 : 5; b < last; b++) {
      const end = bankBase[b]! + (bankMask[b]! + 1) * bankWays[b]!;
      for (let v = bankBase[b]!; v < end; v++) {
        const mask = l1Mask[v]! & l1Mask[w]!;
        if (l1Mask[v] === l1Mask[w] || l1High[v] === 0) continue;
        if (((l1Low[v]! ^ l1Low[w]!) & mask) === 0) s[OVERLAP] = -1;
      }
    }
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

  function stHash(tag: number, order: number): number {
    const key = order === 0 ? tag : tag >>> 9;
    return (key ^ (key >>> 14)) & 16_383;
  }

  function findStlb(vLow: number, tagHigh: number): number {
    const hash = (vLow ^ (vLow >>> 14)) & 16_383;
    const globalHigh = s[CTX_GLOBAL]! | (tagHigh & VPN_HIGH);
    if (stCount[hash] !== 0) {
      const likely = stHint[hash & 4095]!;
      if (stLow[likely] === vLow && stHigh[likely] === tagHigh && stOrder[likely] === 0)
        return likely;
      const v = scanStlb(vLow, tagHigh, globalHigh, 0) | 0;
      if (v >= 0) {
        stHint[hash & 4095] = v;
        return v;
      }
    }
    if (s[LARGE_LIVE] !== 0) {
      const tag = (vLow >>> 9) << 9;
      if (stCount[stHash(tag, 9)] !== 0) return scanStlb(tag, tagHigh, globalHigh, 9) | 0;
    }
    return -1;
  }

  function scanStlb(tag: number, tagHigh: number, globalHigh: number, order: number): number {
    const base = ((tag >>> order) & stMask) * stWays;
    for (let v = base, end = base + stWays; v < end; v++) {
      if (stLow[v] === tag && stOrder[v] === order) {
        const h = stHigh[v]!;
        if (h === tagHigh || h === globalHigh) return v;
      }
    }
    return -1;
  }

  function fillStlb(vLow: number, vHigh: number): void {
    const order = s[W_ORDER]!;
    if (order === 18) {
      if (hasBig) fillBig(vLow, vHigh);
      return;
    }
    if (!hasStlb || (order === 9 && !hasStlb2m)) return;
    const tag = (vLow >>> order) << order;
    const set = (vLow >>> order) & stMask;
    const raw = s[W_RAW]!;
    if ((raw & RAW_GLOBAL) !== 0) dropReplaced(tag, vHigh, order, -1);
    const v = stPrevious[stHead[set]!]!;
    uncountStlb(v);
    const hash = stHash(tag, order);
    stCount[hash] = stCount[hash]! + 1;
    stLow[v] = tag;
    stHigh[v] = contextOf(raw) | vHigh;
    stFrame[v] = s[W_FRAME]!;
    stRaw[v] = raw;
    stOrder[v] = order;
    stGuest[v] = s[W_GUEST]!;
    if (order !== s[W_GUEST]) noteFragment(vLow);
    if (order === 0) stHint[hash & 4095] = v;
    else s[LARGE_LIVE] = 1;
    if ((raw & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
    stHead[set] = v;
  }

  function dropReplaced(tag: number, vHigh: number, order: number, except: number): void {
    const base = ((tag >>> order) & stMask) * stWays;
    for (let v = base; v < base + stWays; v++) {
      if (v === except || stLow[v] !== tag || stOrder[v] !== order) continue;
      if (isReplaced(stHigh[v]!, vHigh)) dropStlb(v);
    }
  }

  function uncountStlb(v: number): void {
    if (stHigh[v] === 0) return;
    const hash = stHash(stLow[v]!, stOrder[v]!);
    stCount[hash] = stCount[hash]! - 1;
  }

  function dropStlb(v: number): void {
    uncountStlb(v);
    stHigh[v] = 0;
    const set = (v / stWays) | 0;
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
    const raw = s[W_RAW]!;
    if ((raw & RAW_GLOBAL) !== 0) dropReplacedBig(vLow, vHigh, -1);
    let v = base;
    for (let w = base; w < base + big.ways; w++) if (bgAge[w]! < bgAge[v]!) v = w;
    bgLow[v] = (vLow >>> 18) << 18;
    bgHigh[v] = contextOf(raw) | vHigh;
    bgFrame[v] = s[W_FRAME]!;
    bgRaw[v] = raw;
    bgAge[v] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
    s[LARGE_LIVE] = 1;
    if ((raw & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
  }

  /** Looks below L1 and fills the walk's result `s[W_*]`, from the STLB or by walking. 0 when stopped. */
  function missL1(vLow: number, vHigh: number, tagHigh: number, kind: number): number {
    const v = hasStlb ? findStlb(vLow, tagHigh) | 0 : -1;
    if (v >= 0) {
      const order = stOrder[v]!;
      touchStlb(v, (vLow >>> order) & stMask);
      if (((allowOf(stRaw[v]!) >>> kind) & 1) !== 0) {
        s[W_FRAME] = stFrame[v]!;
        s[W_ORDER] = order;
        s[W_GUEST] = stGuest[v]!;
        s[W_RAW] = stRaw[v]!;
      } else {
        if (walk(vLow, vHigh, kind) === 0) return 0;
        c[C_ASSIST] = (c[C_ASSIST]! + 1) | 0;
        updateStlb(v, vLow, vHigh);
      }
      c[C_STLB] = (c[C_STLB]! + 1) | 0;
      return 1;
    }
    const g = hasBig && s[LARGE_LIVE] !== 0 ? findBig(vLow, tagHigh) | 0 : -1;
    if (g >= 0) {
      bgAge[g] = s[TICK_PWC] = (s[TICK_PWC]! + 1) | 0;
      if (((allowOf(bgRaw[g]!) >>> kind) & 1) !== 0) {
        s[W_FRAME] = bgFrame[g]!;
        s[W_ORDER] = 18;
        s[W_GUEST] = 18;
        s[W_RAW] = bgRaw[g]!;
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
    if (stOrder[v] === s[W_ORDER]) {
      setStlb(v, vHigh);
    } else {
      dropStlb(v);
      refillStlb(vLow, vHigh);
    }
  }

  /** As `fillStlb`, where the page may be there already: it was found as a page of another size. */
  function refillStlb(vLow: number, vHigh: number): void {
    const order = s[W_ORDER]!;
    const tagHigh = s[CTX]! | vHigh;
    if (order === 18) {
      const g = hasBig ? findBig(vLow, tagHigh) | 0 : -1;
      if (g >= 0) dropBig(g);
    } else if (hasStlb) {
      const tag = (vLow >>> order) << order;
      const v = scanStlb(tag, tagHigh, s[CTX_GLOBAL]! | vHigh, order) | 0;
      if (v >= 0) dropStlb(v);
    }
    fillStlb(vLow, vHigh);
  }

  /** The walk's result for an entry that keeps its page; G may have changed. */
  function setStlb(v: number, vHigh: number): void {
    const raw = s[W_RAW]!;
    if ((raw & RAW_GLOBAL) !== 0) dropReplaced(stLow[v]!, vHigh, stOrder[v]!, v);
    stHigh[v] = contextOf(raw) | vHigh;
    stFrame[v] = s[W_FRAME]!;
    stRaw[v] = raw;
    stGuest[v] = s[W_GUEST]!;
    if (stOrder[v] !== s[W_GUEST]) noteFragment(stLow[v]!);
    if ((raw & RAW_GLOBAL) !== 0) s[GLOBALS_LIVE] = 1;
  }

  function updateBig(g: number, vLow: number, vHigh: number): void {
    if (s[W_ORDER] === 18) {
      setBig(g, vHigh);
    } else {
      dropBig(g);
      refillStlb(vLow, vHigh);
    }
  }

  function setBig(g: number, vHigh: number): void {
    const raw = s[W_RAW]!;
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
   * Data accesses while only 4 KiB pages of single contexts are cached: L1, STLB and walk in one function, so
   * that nothing is searched twice. Gives what the general path below gives (STLB hits: 60 to 25 ns under load).
   * Returns the L1 way used, -1 when the general path must take over, -2 when stopped.
   */
  function plain(vLow: number, vHigh: number, tagHigh: number, kind: number): number {
    const base = Math.imul(vLow & d4Mask, d4Ways);
    const end = (base + d4Ways) | 0;
    let victim = base;
    let age = 0x7fff_ffff;
    for (let w = base; w < end; w = (w + 1) | 0) {
      if (l1Low[w] === vLow && l1High[w] === tagHigh) {
        if (((l1Allow[w]! >>> kind) & 1) === 0) return -1;
        c[C_L1] = (c[C_L1]! + 1) | 0;
        s[LAST] = s[W_FRAME] = l1Frame[w]!;
        return w;
      }
      const older = (l1Age[w]! - age) >> 31;
      age = (age + ((l1Age[w]! - age) & older)) | 0;
      victim = (victim & ~older) | (w & older);
    }
    const set = vLow & stMask;
    const hash = (vLow ^ (vLow >>> 14)) & 16_383;
    let v = -1;
    if (stCount[hash] !== 0) {
      v = stHint[hash & 4095]!;
      if (stLow[v] !== vLow || stHigh[v] !== tagHigh) v = scanStlb(vLow, tagHigh, tagHigh, 0) | 0;
    }
    let raw = 0;
    let frame = 0;
    let guest = 0;
    if (v >= 0) {
      raw = stRaw[v]!;
      if (((ALLOW[(raw & 31) | s[WRITE_PROTECT]!]! >>> kind) & 1) === 0) return -1;
      frame = stFrame[v]!;
      guest = stGuest[v]!;
      touchStlb(v, set);
      c[C_STLB] = (c[C_STLB]! + 1) | 0;
    } else {
      if (walk(vLow, vHigh, kind) === 0) return -2;
      c[C_MISS] = (c[C_MISS]! + 1) | 0;
      raw = s[W_RAW]!;
      if (s[W_ORDER] !== 0 || (raw & RAW_GLOBAL) !== 0) {
        fillStlb(vLow, vHigh);
        s[LAST] = s[W_FRAME]! + (vLow & ((1 << s[W_ORDER]!) - 1));
        return fillWalked(vLow, vHigh, 0) | 0;
      }
      frame = s[W_FRAME]!;
      guest = s[W_GUEST]!;
      v = stPrevious[stHead[set]!]!;
      uncountStlb(v);
      stCount[hash] = stCount[hash]! + 1;
      stLow[v] = vLow;
      stHigh[v] = tagHigh;
      stFrame[v] = frame;
      stRaw[v] = raw;
      stOrder[v] = 0;
      stGuest[v] = guest;
      stHead[set] = v;
      if (guest !== 0) noteFragment(vLow);
    }
    stHint[hash & 4095] = v;
    s[SMALL_LIVE] = 1;
    s[LAST] = s[W_FRAME] = frame;
    l1Low[victim] = vLow;
    l1High[victim] = tagHigh;
    l1Frame[victim] = frame;
    l1Guest[victim] = -1 << guest;
    l1Raw[victim] = raw;
    l1Allow[victim] = ALLOW[(raw & 31) | s[WRITE_PROTECT]!]!;
    return victim;
  }

  /** Enters the walk's result into L1; -1 when no bank holds such a page. */
  function fillWalked(vLow: number, vHigh: number, code: number): number {
    return fillL1(vLow, vHigh, code, s[W_ORDER]!, s[W_FRAME]!, s[W_RAW]!) | 0;
  }

  /** Every page size and port, global entries, rights that a cached entry lacks. Returns as `slow` does. */
  function general(vLow: number, vHigh: number, tagHigh: number, hw: number): number {
    const code = (hw >>> 30) & 1;
    const kind = hw >>> 29;
    const w = findL1(vLow, tagHigh, code) | 0;
    if (w < 0) {
      if (missL1(vLow, vHigh, tagHigh, kind) === 0) return -2;
      s[LAST] = s[W_FRAME]! + (vLow & ((1 << s[W_ORDER]!) - 1));
      return fillWalked(vLow, vHigh, code) | 0;
    }
    if (((l1Allow[w]! >>> kind) & 1) === 0) {
      if (walk(vLow, vHigh, kind) === 0) return -2;
      c[C_ASSIST] = (c[C_ASSIST]! + 1) | 0;
      c[C_L1] = (c[C_L1]! + 1) | 0;
      return updateL1(w, vLow, vHigh, tagHigh, code) | 0;
    }
    c[C_L1] = (c[C_L1]! + 1) | 0;
    s[LAST] = l1Frame[w]! + (vLow & ~l1Mask[w]!);
    s[W_FRAME] = l1Frame[w]!;
    return w;
  }

  /** Everything but a plain hit. Returns the L1 way used, -1 when no bank holds the page, -2 when stopped. */
  function slow(lo: number, hw: number): number {
    const vLow = (lo >>> 12) | (hw << 20);
    const vHigh = (hw & HIGH_MASK) >>> 12;
    const tagHigh = s[CTX]! | vHigh;
    const code = (hw >>> 30) & 1;
    const kind = hw >>> 29;
    let w = -1;
    if (code === 0 && isPlain && (s[LARGE_LIVE]! | s[GLOBALS_LIVE]!) === 0) {
      w = plain(vLow, vHigh, tagHigh, kind) | 0;
      if (w === -2) return -2;
    }
    if (w < 0) {
      w = general(vLow, vHigh, tagHigh, hw) | 0;
      if (w === -2) return -2;
    }
    if (w >= 0) {
      l1Age[w] = s[TICK] = (s[TICK]! + 1) | 0;
      hint[((vLow ^ (vLow >>> 10)) & 1023) | (code << 10)] = w;
    }
    s[SUM] = (s[SUM]! + s[W_FRAME]!) | 0;
    return w;
  }

  function updateL1(w: number, vLow: number, vHigh: number, tagHigh: number, code: number): number {
    const v = hasStlb ? findStlb(vLow, tagHigh) | 0 : -1;
    const raw = s[W_RAW]!;
    const order = s[W_ORDER]!;
    if (v >= 0) {
      if (stOrder[v] === order) setStlb(v, vHigh);
      else dropStlb(v);
    }
    const g = v < 0 && hasBig && s[LARGE_LIVE] !== 0 ? findBig(vLow, tagHigh) | 0 : -1;
    if (g >= 0) {
      if (order === 18) setBig(g, vHigh);
      else dropBig(g);
    }
    dropL1(w);
    // The page may be there already, as a page of the size that the walk found.
    dropDuplicate(bankFor(code, order), vLow, tagHigh);
    s[LAST] = s[W_FRAME]! + (vLow & ((1 << order) - 1));
    return fillL1(vLow, vHigh, code, order, s[W_FRAME]!, raw) | 0;
  }

  // --- The loop ----------------------------------------------------------------------------------------

  function run(from: number, to: number): number {
    rerank();
    const context = s[CTX]!;
    const globals = s[CTX_GLOBAL]!;
    let overlap = s[OVERLAP]!;
    let tick = s[TICK]!;
    let sum = s[SUM]!;
    let hits = 0;
    let stores = 0;
    let fetches = 0;
    let k = from;
    let lastWay = -1;
    s[STOP] = STOP_NONE;
    while (k < to) {
      // Plain hits only: a call in this loop would make V8 spill every variable around it.
      while (k < to) {
        const lo = low[k]!;
        const hw = high[k]!;
        const vLow = (lo >>> 12) | (hw << 20);
        const vHigh = (hw & HIGH_MASK) >>> 12;
        const w = hint[((vLow ^ (vLow >>> 10)) & 1023) | ((hw >>> 20) & 1024)]!;
        const mask = l1Mask[w]!;
        if ((((l1Low[w]! ^ vLow) & mask) | (~mask & overlap)) !== 0) break;
        const tag = l1High[w]!;
        if (tag !== (context | vHigh) && tag !== (globals | vHigh)) break;
        const allow = l1Allow[w]!;
        if (((allow >>> (hw >>> 29)) & 1) === 0) break;
        tick = (tick + 1) | 0;
        l1Age[w] = tick;
        // Further accesses to the same page by the same port are hits that change no recency.
        const k0 = k;
        const byteMask = mask << 12;
        const deny = ~allow;
        stores = (stores + (hw >>> 31)) | 0;
        k = (k + 1) | 0;
        while (k < to) {
          const hx = high[k]!;
          const differs =
            ((low[k]! ^ lo) & byteMask) | ((hx ^ hw) & 0x41ff_ffff) | ((deny >>> (hx >>> 29)) & 1);
          if (differs !== 0) break;
          stores = (stores + (hx >>> 31)) | 0;
          k = (k + 1) | 0;
        }
        const length = (k - k0) | 0;
        hits = (hits + length) | 0;
        fetches = (fetches + Math.imul(length, (hw >>> 30) & 1)) | 0;
        sum = (sum + Math.imul(length, l1Frame[w]!)) | 0;
        lastWay = w;
      }
      if (k >= to) break;
      s[TICK] = tick;
      s[SUM] = sum;
      const done = slow(low[k]!, high[k]!) | 0;
      tick = s[TICK]!;
      sum = s[SUM]!;
      overlap = s[OVERLAP]!;
      if (done === -2) break;
      lastWay = -1;
      stores = (stores + (high[k]! >>> 31)) | 0;
      fetches = (fetches + ((high[k]! >>> 30) & 1)) | 0;
      k = (k + 1) | 0;
    }
    s[TICK] = tick;
    s[SUM] = sum;
    if (lastWay >= 0) {
      const lo = low[k - 1]!;
      const vLow = (lo >>> 12) | (high[k - 1]! << 20);
      s[LAST] = l1Frame[lastWay]! + (vLow & ~l1Mask[lastWay]!);
    }
    c[C_L1] = (c[C_L1]! + hits) | 0;
    c[C_STORES] = (c[C_STORES]! + stores) | 0;
    c[C_FETCHES] = (c[C_FETCHES]! + fetches) | 0;
    // No other counter grows faster than 64 references per access, a batch at a time.
    if (c[C_L1] > 0x3fff_0000 || c[C_REF_NESTED]! > 0x3fff_0000) spill();
    return k;
  }

  /** Moves the int32 counts into the totals before they can overflow. */
  function spill(): void {
    for (let i = 0; i < countersLength; i++) {
      totals[i] = totals[i]! + c[i]!;
      c[i] = 0;
    }
  }

  // --- Invalidation ------------------------------------------------------------------------------------

  function dropL1(w: number): void {
    l1High[w] = 0;
    l1Age[w] = 0;
  }

  /** A large guest page is cached in pieces: remembered by hash, for `dropPage`. */
  function noteFragment(vLow: number): void {
    s[FRAGMENTS_LIVE] = 1;
    fragments[fragmentHash(vLow, s[W_GUEST]!)] = 1;
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
    for (let g = 0; g < bgHigh.length; g++) {
      if (bgLow[g] !== (vLow >>> 18) << 18) continue;
      if (bgHigh[g] === highA || bgHigh[g] === highB) dropBig(g);
    }
  }

  /** Every entry is looked at: pieces lie anywhere. */
  function dropPieces(vLow: number, highA: number, highB: number): void {
    for (let w = 0; w < l1Entries; w++) {
      const covers = ((l1Low[w]! ^ vLow) & l1Guest[w]!) === 0;
      if (covers && (l1High[w] === highA || l1High[w] === highB)) dropL1(w);
    }
    for (let v = 0; hasStlb && v < stEntries; v++) {
      const covers = ((stLow[v]! ^ vLow) & (-1 << stGuest[v]!)) === 0;
      if (covers && (stHigh[v] === highA || stHigh[v] === highB)) dropStlb(v);
    }
  }

  /** Entries of whole pages lie in one set per size (a third of the time of a run full of faults). */
  function dropWhole(vLow: number, highA: number, highB: number): void {
    for (let b = 0; b < 5; b++) {
      const order = bankOrder[b]!;
      const tag = (vLow >>> order) << order;
      const base = bankBase[b]! + ((vLow >>> order) & bankMask[b]!) * bankWays[b]!;
      for (let w = base, end = base + bankWays[b]!; w < end; w++) {
        if (l1Low[w] === tag && (l1High[w] === highA || l1High[w] === highB)) dropL1(w);
      }
    }
    for (let order = 0; hasStlb && order <= 9; order += 9) {
      const tag = (vLow >>> order) << order;
      const base = ((vLow >>> order) & stMask) * stWays;
      for (let v = base, end = base + stWays; v < end; v++) {
        if (stLow[v] !== tag || stOrder[v] !== order) continue;
        if (stHigh[v] === highA || stHigh[v] === highB) dropStlb(v);
      }
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
    for (let v = 0; v < stEntries; v++) {
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
    s[LARGE_NESTED_LIVE] = 0;
  }

  function count(index: number): void {
    totals[index] = totals[index]! + 1;
  }

  function invalidateFault(vpn: Vpn): void {
    dropPage(vpn, s[CTX]!, s[CTX_GLOBAL]!);
    const vLow = vpn | 0;
    const vHigh = (vpn / 0x1_0000_0000) & VPN_HIGH;
    for (let level = 2; level <= 5; level++) {
      const ways = pwWays[level]!;
      if (ways === 0) continue;
      const tag = prefixLow(level, vLow, vHigh) | 0;
      const tagHigh = s[CTX]! | prefixHigh(level, vHigh);
      const base = pwBase[level]! + (tag & pwMask[level]!) * ways;
      for (let v = base; v < base + ways; v++) {
        if (pwLow[v] !== tag || pwHigh[v] !== tagHigh) continue;
        pwHigh[v] = 0;
        pwAge[v] = 0;
      }
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
        s[LEVELS] !== registers.levels ||
        to?.root !== nestedNow?.root ||
        to?.levels !== nestedNow?.levels ||
        to?.format !== nestedNow?.format;
      nestedNow = to;
      s[LEVELS] = registers.levels;
      s[WRITE_PROTECT] = registers.writeProtect ? 1 << 5 : 0;
      s[GLOBAL_PAGES] = registers.globalPages ? 1 : 0;
      for (let w = 0; w < l1Entries; w++) l1Allow[w] = allowOf(l1Raw[w]!);
      s[NESTED] = to === null ? 0 : 1;
      if (to !== null) {
        s[NESTED_ROOT] = memory.slot(to.root) << slotShift;
        s[NESTED_LEVELS] = to.levels;
        s[NESTED_EPT] = to.format === "ept" ? 1 : 0;
        s[NESTED_AD] = to.accessedDirty || to.format === "npt" ? 1 : 0;
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
      if (hasNtlb) for (let v = findNested(g); v >= 0; v = findNested(g)) dropNested(v);
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
        walkLengths[i] = walkLengths[i]! + lengths[i]!;
        lengths[i] = 0;
      }
    },
    reset() {
      for (const { array, made } of state) array.set(made);
      dataCache?.reset();
      powerOn();
    },
    checksum: () => s[SUM]! >>> 0,
    lastWalk() {
      const references: WalkReference[] = [];
      for (let n = 0; n < s[REFS]!; n++) {
        const word = refWord[n]!;
        references.push({
          dimension: refWhat[n]! >= 8 ? "nested" : "guest",
          level: refWhat[n]! & 7,
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
