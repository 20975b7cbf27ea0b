/**
 * The slow, obvious twin of the translation hardware: the same contract, written to be read.
 *
 * A TLB is an array of arrays of objects, a walk is one loop, nothing is hashed, hinted or stamped. The
 * fast unit has to agree with it in every counter, byte and stop, which is the reason to believe either.
 */
import {
  columnLength,
  FETCH,
  HIGH_MASK,
  type Mmu,
  type MmuRoot,
  SHADOW_STACK,
  STOP_NONE,
  STORE,
  USER,
  type WalkReference,
  WHOLE_PAGE,
} from "../mmu.ts";
import type { Gfn, Pfn, Vpn } from "../address.ts";
import { addInto, createLedger, type Ledger, walkLengthMax } from "../counters.ts";
import { allLines, lineAt } from "../formats/sub-pages.ts";
import type { MmuFactory } from "../machine.ts";
import type { PhysicalMemory } from "../memory.ts";
import type { Preset } from "../presets.ts";
import { haveOtherTables, inView, type Paging } from "../stages.ts";
import { belongs, belongsInAnyView, type Context, covers, type Key } from "./cache.ts";
import {
  allows,
  coversGuestPage,
  type PlainTlb,
  plainTlbs,
  type TlbEntry,
  type Translation,
} from "./tlb.ts";
import { PlainTranslator } from "./translate.ts";
import { type Access, isStop, noStop, type Stop } from "./stop.ts";

export const plainMmu: MmuFactory = (memory, preset) => new PlainMmu(memory, preset);

const notStopped: Stop = { ...noStop, reason: STOP_NONE };

class PlainMmu implements Mmu {
  readonly low = new Int32Array(columnLength);
  readonly high = new Int32Array(columnLength);
  readonly loadedRoot = (): MmuRoot => this.root;
  private root: MmuRoot = { frame: 0, pcid: 0 };
  private readonly l1Data: PlainTlb;
  private readonly l1Code: PlainTlb;
  private readonly stlb: PlainTlb;
  private readonly counts: Ledger = createLedger();
  private readonly walkLengths = new Float64Array(walkLengthMax + 1);
  private readonly translator: PlainTranslator;
  private context: Context = { vpid: 0, pcid: 0, eptp: null };
  private stop: Stop = notStopped;
  private pfn = 0;
  private sum = 0;

  constructor(memory: PhysicalMemory, preset: Preset) {
    ({ l1Data: this.l1Data, l1Code: this.l1Code, stlb: this.stlb } = plainTlbs(preset));
    this.translator = new PlainTranslator(memory, preset, this.counts, this.walkLengths);
  }

  run(from: number, to: number): number {
    this.stop = notStopped;
    for (let index = from; index < to; index++) {
      const low = this.low[index]!;
      const high = this.high[index]!;
      const vpn = (high & HIGH_MASK) * 2 ** 20 + (low >>> 12);
      const kind = (high & STORE) !== 0 ? "write" : (high & FETCH) !== 0 ? "fetch" : "read";
      const lines = (high & WHOLE_PAGE) !== 0 ? allLines : lineAt(low & 0xfff);
      const isStack = (high & SHADOW_STACK) !== 0;
      const used = this.access({ vpn, kind, user: (high & USER) !== 0, lines, isStack });
      if (isStop(used)) {
        this.stop = used;
        return index;
      }
      this.counts.accesses += 1;
      if (kind === "write") this.counts.stores += 1;
      if (kind === "fetch") this.counts.fetches += 1;
      this.pfn = used.frame + (vpn % 2 ** used.order);
      this.sum = (this.sum + used.frame) % 2 ** 32;
      this.translator.lines.readData(this.pfn, low & 0xfff);
    }
    return to;
  }

  private access(access: Access): Translation | Stop {
    const { counts, context, stlb, translator } = this;
    const { vpn } = access;
    const l1 = access.kind === "fetch" ? this.l1Code : this.l1Data;

    const inL1 = l1.find(vpn, context);
    if (inL1 !== null) {
      if (allows(inL1, access, translator.paging)) {
        counts.l1Hits += 1;
        l1.touch(inL1);
        return inL1;
      }
      const walked = translator.translate(access, context);
      if (isStop(walked)) return walked;
      counts.l1Hits += 1;
      counts.dirtyAssists += 1;
      l1.replace(inL1, vpn, context, walked);
      const inStlb = stlb.find(vpn, context);
      if (inStlb !== null) stlb.refresh(inStlb, vpn, context, walked);
      return walked;
    }

    const inStlb = stlb.find(vpn, context);
    if (inStlb !== null) {
      stlb.touch(inStlb);
      if (allows(inStlb, access, translator.paging)) {
        counts.stlbHits += 1;
        l1.fill(vpn, context, inStlb);
        return inStlb;
      }
      const walked = translator.translate(access, context);
      if (isStop(walked)) return walked;
      counts.stlbHits += 1;
      counts.dirtyAssists += 1;
      stlb.replace(inStlb, vpn, context, walked);
      l1.fill(vpn, context, walked);
      return walked;
    }

    const walked = translator.translate(access, context);
    if (isStop(walked)) return walked;
    counts.stlbMisses += 1;
    stlb.fill(vpn, context, walked);
    l1.fill(vpn, context, walked);
    return walked;
  }

  lastPfn(): Pfn {
    return this.pfn as Pfn;
  }

  stopReason(): number {
    return this.stop.reason;
  }

  stopError(): number {
    return this.stop.error;
  }

  stopGfn(): Gfn {
    return this.stop.gfn as Gfn;
  }

  stopKind(): "read" | "write" | "fetch" {
    return this.stop.kind;
  }

  stopDuringWalk(): boolean {
    return this.stop.duringWalk;
  }

  stopIsPresent(): boolean {
    return this.stop.isPresent;
  }

  stopIsMalformed(): boolean {
    return this.stop.isMalformed;
  }

  stopSwitched = (): boolean => this.stop.isSwitched;

  configure(to: Paging, vpid: number): void {
    const { translator } = this;
    const changed = haveOtherTables(to.stages, translator.paging.stages);
    translator.paging = to;
    translator.keptRoot = null;
    this.context = { ...this.context, vpid, eptp: to.stages.at(-1)!.root };
    if (changed) this.dropEverything();
  }

  setPml(buffer: Pfn | null): void {
    this.translator.pmlBuffer = buffer;
  }

  pmlIndex = (): number => this.translator.pmlIndex;

  resetPml(): void {
    this.translator.pmlIndex = 511;
  }

  setRoot(root: MmuRoot): void {
    const { frame, pcid, isSwitched = false } = root;
    this.root = root;
    this.translator.root = frame;
    this.translator.isRootSwitched = isSwitched;
    this.translator.keptRoot = null;
    this.context = { ...this.context, pcid };
  }

  switchView(root: Pfn): void {
    const { translator } = this;
    translator.paging = { ...translator.paging, stages: inView(translator.paging.stages, root) };
    translator.keptRoot = null;
    this.context = { ...this.context, eptp: root };
  }

  invalidatePage(vpn: Vpn): void {
    const { context } = this;
    this.counts.flushesPage += 1;
    this.dropTlb((entry) => coversGuestPage(entry, vpn) && belongsInAnyView(entry, context));
    this.dropPwc((entry) => belongsInAnyView(entry, context));
  }

  invalidateFault(vpn: Vpn): void {
    this.dropCovering(vpn, (entry) => belongsInAnyView(entry, this.context));
  }

  invalidatePageOf(vpn: Vpn, pcid: number): void {
    this.invalidateLeafOf(vpn, pcid);
    this.dropPwc((entry) => belongsInAnyView(entry, { ...this.context, pcid }));
  }

  invalidateLeafOf(vpn: Vpn, pcid: number): void {
    const context = { ...this.context, pcid };
    this.counts.flushesPage += 1;
    this.dropTlb(
      (entry) => coversGuestPage(entry, vpn) && !entry.global && belongsInAnyView(entry, context),
    );
  }

  flushContext(pcid: number): void {
    const context = { ...this.context, pcid };
    this.counts.flushesContext += 1;
    this.dropTlb((entry) => !entry.global && belongsInAnyView(entry, context));
    this.dropPwc((entry) => belongsInAnyView(entry, context));
  }

  flushNonGlobal(): void {
    const { context } = this;
    const ofAnyPcid = (entry: Key) => belongsInAnyView(entry, { ...context, pcid: entry.pcid });
    this.counts.flushesContext += 1;
    this.dropTlb((entry) => !entry.global && ofAnyPcid(entry));
    this.dropPwc(ofAnyPcid);
  }

  flushLinear(): void {
    this.counts.flushesLinear += 1;
    this.dropTlb(all);
    this.dropPwc(all);
  }

  flushNested(): void {
    this.counts.flushesNested += 1;
    this.dropEverything();
  }

  invalidateViolation(gfn: Gfn, vpn: Vpn): void {
    const { context } = this;
    this.dropCovering(vpn, (entry) => belongs(entry, context));
    this.dropNested((entry) => covers(entry, gfn) && entry.eptp === context.eptp);
  }

  moveTo = (node: number): void => this.translator.lines.moveTo(node);

  collect(ledger: Ledger, walkLengths: Float64Array): void {
    addInto(ledger, this.counts);
    Object.assign(this.counts, createLedger());
    for (let i = 0; i <= walkLengthMax; i++) walkLengths[i]! += this.walkLengths[i]!;
    this.walkLengths.fill(0);
  }

  checksum = (): number => this.sum;

  lastWalk = (): readonly WalkReference[] => this.translator.log;

  private dropCovering(vpn: Vpn, isMeant: (entry: Key) => boolean): void {
    this.dropTlb((entry) => coversGuestPage(entry, vpn) && isMeant(entry));
    this.dropPwc((entry) => covers(entry, vpn) && isMeant(entry));
  }

  private dropTlb(unwanted: (entry: TlbEntry) => boolean): void {
    for (const tlb of [this.l1Data, this.l1Code, this.stlb]) tlb.removeWhere(unwanted);
  }

  private dropPwc(unwanted: (entry: Key) => boolean): void {
    for (const cache of Object.values(this.translator.pwc)) cache.removeWhere(unwanted);
  }

  private dropNested(unwanted: (entry: Key) => boolean): void {
    this.translator.keptRoot = null;
    this.translator.nestedTlb.removeWhere(unwanted);
    for (const cache of Object.values(this.translator.nestedPwc)) cache.removeWhere(unwanted);
  }

  private dropEverything(): void {
    this.dropTlb(all);
    this.dropPwc(all);
    this.dropNested(all);
  }
}

const all = (): boolean => true;
