/**
 * From GVA to HPA without a TLB: the guest's tree walked through the nested tree, or by itself.
 *
 * It interprets the list of stages; faults, nested TLB and PML are written down here. It counts what walks do.
 *
 * Source: SDM vol. 3A 4.7 "Page-Fault Exceptions", vol. 3C 29.3.6 "Page-Modification Logging", APM vol. 2 15.25.
 */
import type { Pfn } from "../address.ts";
import type { Ledger } from "../counters.ts";
import { orderAt } from "../formats/format.ts";
import { allLines } from "../formats/sub-pages.ts";
import type { PhysicalMemory } from "../memory.ts";
import * as stops from "../mmu.ts";
import type { Preset } from "../presets.ts";
import { oneStage, type Paging, type Stage } from "../stages.ts";
import { cachesByLevel, type CachesByLevel, type Context, keyOf, PlainCache } from "./cache.ts";
import { isGlobal, needsNoMark, notesWrites } from "./marks.ts";
import {
  contextOf,
  type NestedEntry,
  nestedEntry,
  type NestedRequest,
  permitsNested,
  pfnIn,
  suffices,
} from "./nested.ts";
import { errorCode } from "./error-code.ts";
import { PlainLines } from "./lines.ts";
import { cachedOrder, type Translation } from "./tlb.ts";
import type { PwcEntry, Request, Table, Tree } from "./tree.ts";
import { walk } from "./walk.ts";
import { mayFetch } from "./rights.ts";
import { isStackPage, mayHoldStack } from "./shadow-stacks.ts";
import { mayAskSubPages, subPagesAllow } from "./sub-pages.ts";
import { type Access, isStop, type Kind, noStop, outside, type Stop } from "./stop.ts";

type PageRight = "order" | "execute" | "userExecute" | "dirty" | "stack" | "stackDirty";

type PwcByLevel = CachesByLevel<PwcEntry>;

export class PlainTranslator {
  readonly pwc: PwcByLevel;
  readonly nestedPwc: PwcByLevel;
  private readonly lastWalkUncached: boolean;
  private readonly noPwc: PwcByLevel = cachesByLevel({ 2: null, 3: null, 4: null, 5: null });
  readonly nestedTlb: PlainCache<NestedEntry>;
  /** References of the last walk, in order. */
  log: stops.WalkReference[] = [];
  paging: Paging = { stages: oneStage(4), writeProtect: true, globalPages: true };
  root = 0;
  /** The root's table, where silicon keeps it and has come across it. */
  keptRoot: Table | null = null;
  isRootSwitched = false;
  pmlBuffer: Pfn | null = null;
  pmlIndex = 511;
  private readonly memory: PhysicalMemory;
  readonly lines: PlainLines;
  private readonly counts: Ledger;
  private readonly walkLengths: Float64Array;

  constructor(memory: PhysicalMemory, preset: Preset, counts: Ledger, walkLengths: Float64Array) {
    this.memory = memory;
    this.counts = counts;
    this.walkLengths = walkLengths;
    this.pwc = cachesByLevel(preset.pwc);
    this.nestedPwc = cachesByLevel(preset.nestedPwc);
    this.lastWalkUncached = preset.lastWalkUncached === true;
    this.nestedTlb = new PlainCache(preset.nestedTlb);
    this.lines = new PlainLines(memory, preset, counts);
  }

  /** One walk, counted whether it ends in a translation or in a stop. */
  translate(access: Access, context: Context): Translation | Stop {
    this.log = [];
    this.counts.walks += 1;
    const outcome = this.translateUncounted(access, context);
    this.walkLengths[Math.min(this.log.length, this.walkLengths.length - 1)]! += 1;
    for (const reference of this.log) this.lines.readTable(reference);
    return outcome;
  }

  private translateUncounted(access: Access, context: Context): Translation | Stop {
    const { vpn, kind, user, lines, isStack } = access;
    const seen = { duringWalk: false, isVerified: true, lines, isStack };
    const request: Request = { page: vpn, kind, user, ...seen };
    const tree = this.startTree(context, vpn);
    const leaf = walk(this.memory, tree, request, this);
    if (isStop(leaf)) return leaf;
    const { stage } = leaf.isSwitched ? tree.switched! : tree;
    const { user: isUser, verified: isVerified, ...rights } = leaf.rights;
    const isTold = !isUser && this.paging.stages.at(-1)!.format.supervisorStackHigh !== 0;
    const asked = { ...seen, kind, isUser, isVerified, isStack: isStack && isTold };
    const page = this.pageOf(leaf.frame + (vpn % 2 ** leaf.order), stage, asked);
    if (isStop(page)) return page;
    const isOfStack = stage.shadowStacks && isStackPage(stage.format, leaf);
    const order = cachedOrder(Math.min(leaf.keptOrder, page.order));
    return {
      order,
      guestOrder: leaf.order,
      frame: page.pfn - (vpn % 2 ** order),
      ...rights,
      user: isUser,
      nestedExecute: isUser ? page.userExecute : page.execute,
      dirty: needsNoMark(stage, leaf.low) && page.dirty,
      global: this.paging.globalPages && isGlobal(stage.format, leaf.low),
      stackLoad: isOfStack && (!isTold || page.stack),
      stackStore: isOfStack && (isTold ? page.stackDirty : page.dirty),
    };
  }

  /** Host frame of the 4 KiB page that a leaf of `stage` has at `frame`, and what its host page permits. */
  private pageOf(
    frame: number,
    stage: Stage,
    request: NestedRequest,
  ): (Pick<NestedEntry, PageRight> & { pfn: number }) | Stop {
    if (stage.through !== null) {
      const entry = this.nestedTranslate(frame, request);
      if (isStop(entry)) return entry;
      const place = this.existing(frame, pfnIn(entry, frame), entry.write);
      return isStop(place) ? place : { ...entry, pfn: place.pfn };
    }
    if (frame >= this.memory.frames) return outside(frame);
    const everything = { execute: true, userExecute: true, dirty: true, stack: true };
    return { pfn: frame, order: 18, ...everything, stackDirty: true };
  }

  /** The tree that a walk for the page starts in: tables that are asked first, or what is loaded as root. */
  private startTree(context: Context, vpn: number): Tree {
    const loaded = this.firstTree(context);
    const { askedFirst, shape } = loaded.stage;
    if (askedFirst === null) return loaded;
    const isUpper = Math.floor(vpn / 2 ** (9 * shape.levels - 1)) % 2 === 1;
    if (askedFirst.upperHalfOnly && !isUpper) return loaded;
    const { root } = askedFirst;
    const locateRoot = (frame: number) => loaded.locate(frame);
    return { ...loaded, root, pwc: this.noPwc, locateRoot, restart: loaded };
  }

  private firstTree(context: Context): Tree {
    const [first, second] = this.paging.stages;
    const switched = first!.switchBit === 0 ? null : this.guestTree(second!, context, null);
    return this.guestTree(first!, context, switched);
  }

  /** A tree that refuses with page faults. */
  private guestTree(stage: Stage, context: Context, switched: Tree | null): Tree {
    const { stages, writeProtect } = this.paging;
    const tableAccess = notesWrites(stages, stage.through) ? "write" : "read";
    const isSwitched = stage !== stages[0];
    const locate = (frame: number): Table | Stop => {
      const table = this.tableAt(frame, stage, tableAccess);
      return isStop(table) ? table : { ...table, isSwitched };
    };
    return {
      stage,
      root: this.root,
      isRootSwitched: this.isRootSwitched,
      context,
      pwc: this.pwc,
      switched,
      restart: null,
      locate,
      locateRoot: (frame) => {
        if (this.keptRoot !== null) return this.keptRoot;
        const table = locate(frame);
        if (stage.keepsRoot && !isStop(table)) this.keptRoot = table;
        return table;
      },
      // What a hypervisor switches to it lets silicon write.
      atHost: (frame) => {
        const table = this.existing(frame, frame, true);
        return isStop(table) ? table : { ...table, isSwitched };
      },
      permits: (rights, { kind, user }) =>
        (!user || rights.user) &&
        (kind !== "read" || rights.read) &&
        (kind !== "write" || rights.write || (!user && !writeProtect)) &&
        (kind !== "fetch" || mayFetch(rights, user)),
      permitsLines: () => false,
      permitsStack: (leaf, { user }) =>
        leaf.rights.user === user && isStackPage(stage.format, leaf),
      beforeMark: ({ frame: gfn, isWritable }) => {
        // Reading the table needed no more than a read right; setting a bit is a write to it.
        if (isWritable) return null;
        const reason = stops.STOP_EPT_VIOLATION;
        return { ...noStop, reason, gfn, kind: "write", duringWalk: true, isPresent: true };
      },
      refuse: (cause, request) => {
        const error = errorCode(cause, request);
        return { ...noStop, reason: stops.STOP_PAGE_FAULT, error, isSwitched };
      },
    };
  }

  private nestedTree(stage: Stage, isLast: boolean): Tree {
    const atHost = (frame: number) => this.existing(frame, frame, true);
    return {
      stage,
      root: stage.root!,
      isRootSwitched: false,
      context: contextOf(stage),
      pwc: isLast && this.lastWalkUncached ? this.noPwc : this.nestedPwc,
      switched: null,
      restart: null,
      locateRoot: atHost,
      locate: atHost,
      atHost,
      permits: permitsNested(stage.format),
      permitsLines: (leaf, request) =>
        mayAskSubPages(stage, leaf, request) &&
        subPagesAllow(this.memory, stage.subPages!, request, this),
      permitsStack: (leaf) => mayHoldStack(stage.format, leaf),
      beforeMark: (_table, setsDirty, { page }) => (setsDirty ? this.logModification(page) : null),
      refuse: (_cause, { page: gfn, kind, duringWalk }, low) => {
        const isPresent = stage.format.isPresent(low);
        const isMalformed = stage.format.isMalformed(low);
        const reason = stops.STOP_EPT_VIOLATION;
        return { ...noStop, reason, gfn, kind, duringWalk, isPresent, isMalformed };
      },
    };
  }

  private tableAt(frame: number, stage: Stage, kind: Kind): Table | Stop {
    if (stage.through === null) return this.existing(frame, frame, true);
    const asked = { kind, isUser: false, duringWalk: true, isVerified: true };
    const request = { ...asked, lines: allLines, isStack: false };
    const entry = this.nestedTranslate(frame, request);
    if (isStop(entry)) return entry;
    const table = this.existing(frame, pfnIn(entry, frame), entry.pagingDirty);
    return isStop(table) ? table : { ...table, isVerified: entry.verified };
  }

  /** `frame` lies at `pfn`, if the machine has such a frame. */
  private existing(frame: number, pfn: number, isWritable: boolean): Table | Stop {
    if (pfn >= this.memory.frames) return outside(pfn);
    return { frame, pfn: pfn as Pfn, isWritable, isVerified: true, isSwitched: false };
  }

  /** The nested dimension: from `gfn` to the page around it, by nested TLB or nested walk. */
  private nestedTranslate(gfn: number, request: NestedRequest): NestedEntry | Stop {
    const cached = this.findNested(gfn);
    if (cached !== null && suffices(cached, request)) {
      this.counts.nestedTlbHits += 1;
      this.nestedTlb.touch(cached);
      return cached;
    }
    this.counts.nestedTlbMisses += 1;
    const tree = this.nestedTree(this.paging.stages.at(-1)!, !request.duringWalk);
    const leaf = walk(this.memory, tree, { page: gfn, user: request.isUser, ...request }, this);
    if (isStop(leaf)) return leaf;
    const entry = nestedEntry(gfn, leaf, tree);
    if (cached !== null) this.nestedTlb.remove(cached);
    this.nestedTlb.insert(entry);
    return entry;
  }

  private findNested(gfn: number): NestedEntry | null {
    const stage = this.paging.stages.at(-1)!;
    const { format } = stage;
    for (let level = 1; level <= format.leafLevelMax; level++) {
      const entry = this.nestedTlb.find(keyOf(gfn, orderAt(format, level), contextOf(stage)));
      if (entry !== null) return entry;
    }
    return null;
  }

  /** PML: D of a leaf is about to be set. */
  private logModification(gfn: number): Stop | null {
    if (this.pmlBuffer === null) return null;
    if (this.pmlIndex < 0) return { ...noStop, reason: stops.STOP_PML_FULL, gfn };
    this.memory.writeEntry(this.pmlBuffer, this.pmlIndex, gfn, 0);
    this.pmlIndex -= 1;
    this.counts.pmlAppends += 1;
    return null;
  }

  reference(reference: stops.WalkReference): void {
    this.log.push(reference);
    if (reference.dimension === "guest") this.counts.walkReferencesGuest += 1;
    else this.counts.walkReferencesNested += 1;
  }

  pwcHit({ stage }: Tree, level: number): void {
    const cached = level as 2 | 3 | 4 | 5;
    if (stage.counters === "Guest") this.counts[`pwcHitsLevel${cached}`] += 1;
    else this.counts[`nestedPwcHitsLevel${cached}`] += 1;
  }

  bitSet(bit: "accessed" | "dirty"): void {
    this.counts[`${bit}BitsSet`] += 1;
  }
}
