/**
 * The translation hardware of one vCPU, written for speed: the only code that is. Its parts are in `unit/`.
 *
 * A unit is one closure over typed arrays, assembled from its parts (`unit/assemble.ts` says why) and made for a shape of
 * translation, so that what a list of stages does not have is not in its code. What is made here switches between the
 * units of the shapes that its hypervisor asks for. Its obvious twin is `machine/plain/mmu.ts`: a differential test
 * holds every counter, byte and stop of the one against the other.
 */
import type { Pfn } from "./address.ts";
import { addInto, createLedger, walkLengthMax } from "./counters.ts";
import { createDataCache, type DataCache } from "./data-cache.ts";
import type { PhysicalMemory } from "./memory.ts";
import { columnLength, type MmuRoot, type ResettableMmu } from "./mmu.ts";
import type { Geometry, Preset } from "./presets.ts";
import { createRoom } from "./room.ts";
import { haveOneShape, type Stage, x86Stage } from "./stages.ts";
import { compileUnit, type UnitFactory } from "./unit/assemble.ts";
import type { Unit } from "./unit/given.ts";

/** A unit with code of its own: as fast as it gets, once V8 has compiled it (a few hundred thousand accesses). */
export const ownMmu = (memory: PhysicalMemory, preset: Preset): ResettableMmu =>
  createMmu(memory, preset, compileUnit);

let shared: UnitFactory | undefined;

/** A unit whose code all units made here share: for machines that live shortly, as compiling costs them more. */
export const fastMmu = (memory: PhysicalMemory, preset: Preset): ResettableMmu =>
  createMmu(memory, preset, () => (shared ??= compileUnit()));

/** Leaf tables that a unit remembers take 32 KiB, indices, hints and marks 128 KiB. */
const roomElse = 0x2_8000;

/** What all structures of a preset need at most, in bytes. */
function roomFor({ l1Data, l1Code, stlb, stlb1g, pwc, nestedPwc, nestedTlb }: Preset): number {
  const all = [l1Data, l1Code, pwc, nestedPwc, { stlb, stlb1g, nestedTlb }];
  const geometries: (Geometry | null)[] = all.flatMap((part) => Object.values(part));
  const entries = geometries.reduce((sum, g) => sum + (g === null ? 0 : g.sets * g.ways), 0);
  return 64 * entries + roomElse;
}

const dataCounters = ["dataL1Hits", "dataL2Hits", "dataLlcHits", "dataDram", "dataRemote"] as const;

function dataCacheOf(memory: PhysicalMemory, { dataCache }: Preset): DataCache | null {
  if (dataCache === null) return null;
  return createDataCache(dataCache, (line) => memory.nodeOf((line >>> 6) as Pfn));
}

function createMmu(
  memory: PhysicalMemory,
  preset: Preset,
  compile: () => UnitFactory,
): ResettableMmu {
  const firstRoom = createRoom(8 * columnLength + roomFor(preset));
  const low = firstRoom.int32(columnLength);
  const high = firstRoom.int32(columnLength);
  const dataCache = dataCacheOf(memory, preset);
  const units: { readonly stages: readonly Stage[]; readonly unit: Unit }[] = [];
  /** Counts of units that are not in use. */
  const counted = createLedger();
  const countedWalks = new Float64Array(walkLengthMax + 1);
  /** Where the program's lines were. */
  const dataPlaces = new Float64Array(dataCounters.length);
  let sum = 0;
  let root: MmuRoot = { frame: 0, pcid: 0 };
  let pml: Pfn | null = null;
  let unit = unitFor([x86Stage(4)]);

  function unitFor(stages: readonly Stage[]): Unit {
    const known = units.find((other) => haveOneShape(other.stages, stages));
    if (known !== undefined) return known.unit;
    const room = units.length === 0 ? firstRoom : createRoom(roomFor(preset));
    const made = compile()({ memory, preset, stages, dataCache, room, low, high });
    units.push({ stages, unit: made });
    return made;
  }

  /** Another shape: nothing that is cached means anything to it; registers stay. */
  function switchTo(next: Unit): void {
    unit.collect(counted, countedWalks);
    sum = (sum + unit.checksum()) >>> 0;
    next.reset();
    next.takeOver(unit);
    unit = next;
    unit.setRoot(root);
    unit.setPml(pml);
  }

  /** Each access by itself, its line read after those of its walk: the order decides what pushes out what. */
  function runWithLines(from: number, to: number): number {
    for (let index = from; index < to; index++) {
      if (unit.run(index, index + 1) === index) return index;
      const place = dataCache!.access((unit.lastPfn() << 6) | ((low[index]! >>> 6) & 63));
      dataPlaces[place] = dataPlaces[place]! + 1;
    }
    return to;
  }

  return {
    low,
    high,
    run: preset.dataCache?.programLines === true ? runWithLines : (from, to) => unit.run(from, to),
    lastPfn: () => unit.lastPfn(),
    stopReason: () => unit.stopReason(),
    stopError: () => unit.stopError(),
    stopGfn: () => unit.stopGfn(),
    stopKind: () => unit.stopKind(),
    stopDuringWalk: () => unit.stopDuringWalk(),
    stopIsPresent: () => unit.stopIsPresent(),
    stopIsMalformed: () => unit.stopIsMalformed(),
    stopSwitched: () => unit.stopSwitched(),

    configure(to, vpid) {
      const next = unitFor(to.stages);
      if (next !== unit) switchTo(next);
      unit.configure(to, vpid);
    },
    setPml(buffer) {
      pml = buffer;
      unit.setPml(buffer);
    },
    pmlIndex: () => unit.pmlIndex(),
    resetPml: () => unit.resetPml(),
    setRoot(to) {
      root = to;
      unit.setRoot(to);
    },
    switchView: (to) => unit.switchView(to),
    // No getter: V8 keeps an object with one slow, and every access of a guest calls through this one (8 ns of 32).
    loadedRoot: () => root,

    invalidatePage: (vpn) => unit.invalidatePage(vpn),
    invalidateFault: (vpn) => unit.invalidateFault(vpn),
    invalidatePageOf: (vpn, pcid) => unit.invalidatePageOf(vpn, pcid),
    invalidateLeafOf: (vpn, pcid) => unit.invalidateLeafOf(vpn, pcid),
    flushContext: (pcid) => unit.flushContext(pcid),
    flushNonGlobal: () => unit.flushNonGlobal(),
    flushLinear: () => unit.flushLinear(),
    flushNested: () => unit.flushNested(),
    invalidateViolation: (gfn, vpn) => unit.invalidateViolation(gfn, vpn),
    moveTo: (node) => dataCache?.moveTo(node),

    collect(ledger, walkLengths) {
      unit.collect(ledger, walkLengths);
      for (const [place, name] of dataCounters.entries()) ledger[name] += dataPlaces[place]!;
      dataPlaces.fill(0);
      addInto(ledger, counted);
      Object.assign(counted, createLedger());
      countedWalks.forEach((walks, references) => (walkLengths[references]! += walks));
      countedWalks.fill(0);
    },
    reset() {
      Object.assign(counted, createLedger());
      countedWalks.fill(0);
      sum = 0;
      root = { frame: 0, pcid: 0 };
      pml = null;
      dataCache?.reset();
      dataPlaces.fill(0);
      unit.reset();
    },
    checksum: () => (sum + unit.checksum()) >>> 0,
    lastWalk: () => unit.lastWalk(),
  };
}
