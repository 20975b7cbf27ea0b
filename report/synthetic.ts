/**
 * Made-up results of plausible size, for the tests of tables and charts; nothing here is a finding.
 *
 * A workload is a handful of rates per 1000 accesses, an engine is how it answers them. Values span
 * decades, as real ones do, and seeds differ by a percent.
 */
import {
  createLedger,
  cycleCategories,
  type CycleCategory,
  type Ledger,
  type PointKey,
  type PointRow,
  regions,
  type ResultRows,
  type WalkRow,
} from "../bench/results/result.ts";

export interface SyntheticSize {
  readonly engines: number;
  readonly workloads: number;
  readonly seeds: number;
}

interface Rates {
  readonly name: string;
  readonly l1Misses: number;
  readonly stlbMisses: number;
  readonly pteStores: number;
  readonly faults: number;
  readonly cr3Writes: number;
  readonly invlpgs: number;
  readonly note?: string;
}

const note = "user-only: its update rate is a lower bound";

/** Per 1000 accesses: L1 and STLB misses, PTE stores, faults, CR3 writes, INVLPGs. */
const workloads: readonly Rates[] = (
  [
    ["sequential", 2, 2, 0, 0, 0, 0],
    ["strided", 950, 800, 0, 0, 0, 0],
    ["uniform", 990, 900, 0, 0, 0, 0],
    ["zipf", 420, 150, 0.01, 0, 0, 0],
    ["pointer-chase", 980, 700, 0, 0, 0, 0],
    ["gups", 480, 470, 0, 0, 0, 0],
    ["btree", 300, 90, 0, 0, 0, 0],
    ["demand-paging", 20, 16, 15, 15, 0, 0],
    ["fork-storm", 60, 40, 55, 20, 4, 6],
    ["cow-snapshot", 200, 60, 12, 9, 0.2, 4],
    ["mmap-churn", 40, 30, 60, 20, 0, 25],
    ["mprotect-gc", 90, 35, 40, 18, 0, 30],
    ["switch-ping-pong", 120, 60, 0, 0, 25, 0],
    ["syscall-kpti", 30, 12, 0, 0, 80, 0],
    ["compile", 150, 40, 25, 11, 6, 8],
    ["key-value", 350, 110, 5, 3, 8, 2],
    ["trace-sqlite3", 30, 3, 0.4, 0.4, 0.01, 0, note],
  ] as const
).map(([name, l1Misses, stlbMisses, pteStores, faults, cr3Writes, invlpgs, text]) => ({
  name,
  l1Misses,
  stlbMisses,
  pteStores,
  faults,
  cr3Writes,
  invlpgs,
  ...(text === undefined ? {} : { note: text }),
}));

interface Scheme {
  readonly name: string;
  readonly nested: boolean;
  /** Exits per PTE store, per CR3 write and INVLPG, per guest fault. */
  readonly perStore: number;
  readonly perSwitch: number;
  readonly perFault: number;
}

const schemes: readonly Scheme[] = (
  [
    ["native", false, 0, 0, 0],
    ["shadow", false, 1, 1, 1.3],
    ["shadow-vtlb", false, 0, 1, 4],
    ["shadow-lazy", false, 0.3, 1, 1.5],
    ["shadow-wp", false, 1, 1, 1.6],
    ["ept", true, 0, 0, 0.05],
    ["npt", true, 0, 0, 0.05],
    ["ept-pml", true, 0, 0, 0.052],
    ["ept-wp", true, 0, 0, 0.3],
    ["ept-ad", true, 0, 0, 0.06],
  ] as const
).map(([name, nested, perStore, perSwitch, perFault]) => ({
  name,
  nested,
  perStore,
  perSwitch,
  perFault,
}));

const accesses = 1_000_000;

export function syntheticRows({ engines, workloads: count, seeds }: SyntheticSize): ResultRows {
  const points: PointRow[] = [];
  const walks: WalkRow[] = [];
  let id = 0;
  for (const rates of workloads.slice(0, count)) {
    for (let seed = 0; seed < seeds; seed++) {
      const program = programOf(rates, 1 + 0.01 * seed);
      const baseline = totalOf(cyclesOf(countersOf(program, schemeAt(0))));
      for (let engine = 0; engine < engines; engine++) {
        const scheme = schemeAt(engine);
        const counters = countersOf(program, scheme);
        const cycles = cyclesOf(counters);
        const key: PointKey = {
          id,
          engine: scheme.name,
          workload: rates.name,
          params: { pages: 16_384 },
          preset: "skylake-sp",
          backing: "4k",
          guestLevels: 4,
          nestedLevels: 4,
          seed,
        };
        const cyclesTotal = totalOf(cycles);
        for (const region of regions) {
          points.push({
            key,
            region,
            counters,
            cycles,
            cyclesTotal,
            checksum: 1,
            computeCyclesPerOp: 1,
            cost: "skylake-sp",
            label: rates.note ?? "",
            slowdown: Number((cyclesTotal / baseline).toPrecision(6)),
          });
          walks.push(...walksOf(counters, scheme).map((walk) => ({ key, region, ...walk })));
        }
        id++;
      }
    }
  }
  return { points, walks };
}

function schemeAt(index: number): Scheme {
  const scheme = schemes[index];
  if (scheme === undefined) throw new RangeError(`no synthetic scheme ${index}`);
  return scheme;
}

function programOf(rates: Rates, factor: number): Rates {
  return { ...rates, stlbMisses: rates.stlbMisses * factor, faults: rates.faults * factor };
}

function countersOf(rates: Rates, { nested, perStore, perSwitch, perFault }: Scheme): Ledger {
  const per1000 = (rate: number) => Math.round((rate * accesses) / 1000);
  const ledger = createLedger();
  ledger.accesses = accesses;
  ledger.stlbMisses = per1000(rates.stlbMisses * (perSwitch > 0 ? 1.1 : 1));
  ledger.stlbHits = per1000(rates.l1Misses) - per1000(rates.stlbMisses);
  ledger.l1Hits = accesses - ledger.stlbHits - ledger.stlbMisses;
  ledger.walks = ledger.stlbMisses;
  ledger.walkReferencesGuest = Math.round(ledger.walks * 1.4);
  ledger.walkReferencesNested = nested ? Math.round(ledger.walks * 2.6) : 0;
  ledger.exitsPageFault = per1000(rates.pteStores * perStore + (nested ? 0 : rates.faults)) * 1;
  ledger.exitsCr3Write = per1000(rates.cr3Writes * perSwitch);
  ledger.exitsInvlpg = per1000(rates.invlpgs * perSwitch);
  ledger.exitsEptViolation = nested ? per1000(rates.faults * perFault) : 0;
  if (!nested) ledger.exitsPageFault = Math.round(ledger.exitsPageFault * Math.min(1, perFault));
  ledger.exits =
    ledger.exitsPageFault + ledger.exitsCr3Write + ledger.exitsInvlpg + ledger.exitsEptViolation;
  ledger.guestPageFaults = per1000(rates.faults);
  ledger.pteStores = per1000(rates.pteStores);
  ledger.cr3Writes = per1000(rates.cr3Writes);
  return ledger;
}

function cyclesOf(counts: Ledger): PointRow["cycles"] {
  const cycles = Object.fromEntries(cycleCategories.map((name) => [name, 0])) as Record<
    CycleCategory,
    number
  >;
  cycles.guestCompute = 4 * counts.accesses;
  cycles.guestAccess = counts.accesses + 7 * (counts.stlbHits + counts.stlbMisses);
  cycles.guestKernel = 1500 * counts.guestPageFaults + 200 * counts.cr3Writes + counts.pteStores;
  cycles.walkGuest = 34 * counts.walkReferencesGuest;
  cycles.walkNested = 34 * counts.walkReferencesNested;
  for (const cause of ["PageFault", "Cr3Write", "Invlpg", "EptViolation"] as const) {
    cycles[`exitDirect${cause}`] = 1500 * counts[`exits${cause}`];
    cycles[`exitIndirect${cause}`] = 400 * counts[`exits${cause}`];
  }
  cycles.hypervisorHandlers = 400 * counts.exits;
  cycles.hypervisorWalks = 120 * counts.exitsPageFault;
  cycles.hypervisorEmulation = 1500 * Math.round(counts.exitsPageFault / 2);
  return cycles;
}

function totalOf(cycles: PointRow["cycles"]): number {
  return cycleCategories.reduce((sum, name) => sum + cycles[name], 0);
}

/** Mostly short walks, a tail to the longest one. */
function walksOf(
  { walks }: Ledger,
  { nested }: Scheme,
): { readonly references: number; readonly walks: number }[] {
  const shares = nested ? [0, 0.1, 0.35, 0.2, 0.1, 0.1, 0.05, 0, 0.08] : [0, 0.7, 0.2, 0.05, 0.05];
  if (nested) shares[24] = 0.02;
  return shares.flatMap((share, references) => {
    const count = Math.round((share ?? 0) * walks);
    return count === 0 ? [] : [{ references, walks: count }];
  });
}
