/**
 * Host time of one yardstick stream on the real translation unit, and the counters to hold against C's.
 *
 * Each stream gets its own copy of the unit's code and its own memory. A sample is one batch of 4096 accesses;
 * making the accesses is not timed. As in the C program, the figure is the median of the second half's batches.
 */
import { Bench } from "tinybench";
import type { Vpn } from "../../machine/address.ts";
import { createLedger, walkLengthMax } from "../../machine/counters.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { batchLength, type Mmu } from "../../machine/mmu.ts";
import { presets } from "../../machine/presets.ts";
import { eptStage, oneStage, twoStages } from "../../machine/stages.ts";
import { createStream, regionVpn } from "./streams.ts";
import { createTables } from "./tables.ts";
import type { YardstickCounters, YardstickStream } from "./yardstick.ts";

export interface StreamTime {
  /** Host nanoseconds per access: median batch of the second half of the run. */
  readonly nanosecondsPerAccess: number;
  readonly counters: YardstickCounters;
}

const seed = 12_345;

export async function measureStream(
  stream: YardstickStream,
  factory: MmuFactory,
): Promise<StreamTime> {
  const mmu = mapped(stream, factory);
  const fill = createStream(stream.kind, stream.mebibytes * 256, seed);
  const batches = Math.ceil(stream.accesses / batchLength);
  const last = stream.accesses - (batches - 1) * batchLength;
  let batch = 0;
  let count = 0;
  const bench = new Bench({
    time: 0,
    iterations: batches,
    warmup: false,
    timestampProvider: "hrtimeNow",
    retainSamples: true,
    throws: true,
  });
  bench.add(stream.regime, () => void mmu.run(0, count), {
    async: false,
    beforeEach() {
      batch += 1;
      count = batch === batches ? last : batchLength;
      fill(mmu.low, mmu.high, count);
    },
  });
  const [task] = await bench.run();
  const result = task?.result;
  if (result?.state !== "completed")
    throw new Error(`bug: speed: ${stream.regime} did not complete`);
  // tinybench sorts its samples, so the second half cannot be told apart; every batch counts, warm or not.
  const median = (result.latency.p50 * 1e6) / batchLength;
  return { nanosecondsPerAccess: median, counters: countersOf(mmu) };
}

function mapped(stream: YardstickStream, factory: MmuFactory): Mmu {
  const nested = stream.mode === "nested";
  const tables = createTables({ nested, pageSize: stream.pageSize });
  const step = stream.pageSize === "2m" ? 512 : 1;
  for (let page = 0; page < stream.mebibytes * 256; page += step) {
    tables.map((regionVpn + page) as Vpn);
  }
  const mmu = factory(tables.memory, presets.yardstick);
  const stages = nested ? twoStages(eptStage(tables.eptRoot, 4, true))(4) : oneStage(4);
  mmu.configure({ stages, writeProtect: true, globalPages: false }, 1);
  mmu.setRoot({ frame: tables.root, pcid: 5 });
  return mmu;
}

/** The counters under the C program's names. */
function countersOf(mmu: Mmu): YardstickCounters {
  const ledger = createLedger();
  const lengths = new Float64Array(walkLengthMax + 1);
  mmu.collect(ledger, lengths);
  return {
    l1: ledger.l1Hits,
    stlb: ledger.stlbHits,
    walks: ledger.walks,
    assists: ledger.dirtyAssists,
    refs: ledger.walkReferencesGuest + ledger.walkReferencesNested,
    grefs: ledger.walkReferencesGuest,
    hrefs: ledger.walkReferencesNested,
    pwc4: ledger.pwcHitsLevel4,
    pwc3: ledger.pwcHitsLevel3,
    pwc2: ledger.pwcHitsLevel2,
    ntlb: ledger.nestedTlbHits,
    nwalks: ledger.nestedTlbMisses,
    aset: ledger.accessedBitsSet,
    dset: ledger.dirtyBitsSet,
    sum: mmu.checksum(),
    hist: [...lengths.subarray(0, 25)],
  };
}

/** Names of the counters in which two runs differ. */
export function differing(ours: YardstickCounters, theirs: YardstickCounters): readonly string[] {
  return Object.keys(theirs).filter((name) => String(ours[name]) !== String(theirs[name]));
}
