/**
 * What the scenarios answer: claims with numbers from the run, in the form of `claims/why`.
 *
 * A claim is given up when one of its directions no longer holds (`answers.test.ts`).
 */
import { workloads } from "../../workloads/index.ts";
import { assert } from "../../machine/assert.ts";
import { fullParams } from "../../bench/points/params.ts";
import { type Finding, say } from "../../bench/results/answer.ts";
import { six } from "../../bench/results/figures.ts";
import { type ScenarioName, share, type ShareOptions, type ShareRow } from "./share.ts";

/** A key-value server of 8 MiB, a third of its requests writes. */
const server = {
  workload: "key-value",
  params: fullParams(workloads["key-value"], { pages: 2048, requests: 4000, writePercent: 30 }),
  preset: "skylake-sp",
  guestLevels: 4,
  nestedLevels: 4,
  seed: 1,
  guests: undefined,
  settings: { every: 10_000, limitPercent: 75 },
  check: false,
} as const satisfies Partial<ShareOptions>;

export type SharingAnswer = Omit<Finding, "change" | "figures" | "tables"> & {
  readonly title: string;
};

export async function sharingAnswers(): Promise<readonly SharingAnswer[]> {
  const run = (scenario: ScenarioName, backing: "4k" | "2m", engines: readonly string[]) =>
    share({ ...server, backing, engines, scenarios: [scenario] });
  const small = await run("snapshot", "4k", ["shadow-lazy", "ept", "ept-wp"]);
  const merged = await run("merge", "2m", ["ept"]);
  const mergedSmall = await run("merge", "4k", ["ept"]);
  const over = await run("overcommit", "4k", ["shadow-lazy", "ept"]);
  return [snapshots(small), hugePages(merged, mergedSmall), overcommit(over)];
}

function of(rows: readonly ShareRow[], engine: string): ShareRow {
  const row = rows.find((one) => one.engine === engine);
  assert(row !== undefined, `sharing: no row of ${engine}`);
  return row;
}

const added = ({ exits, exitsAlone }: ShareRow): number => exits - exitsAlone;
const addedCycles = ({ cycles, cyclesAlone }: ShareRow): number => cycles - cyclesAlone;
const evidence = (scenario: string, backing: string) =>
  say`shadewalk share ${`${scenario} --backing ${backing}`} --engines shadow-lazy,ept,ept-wp --csv`;

function snapshots(rows: readonly ShareRow[]): SharingAnswer {
  const [lazy, ept, wp] = [of(rows, "shadow-lazy"), of(rows, "ept"), of(rows, "ept-wp")];
  return {
    title: "What does a snapshot cost under shadow and nested paging?",
    claim: say`A snapshot costs nested paging more than shadow paging, added to what each paid before: every page used afterwards is a violation, and with A/D bits every walk of a guest table is a write that breaks its share too.`,
    number: say`${added(ept)} exits and ${six(addedCycles(ept) / 1e6)} million cycles added under ept, ${added(lazy)} and ${six(addedCycles(lazy) / 1e6)} under shadow-lazy; ${ept.sharesBroken} copies under ept, ${wp.sharesBroken} without A/D bits, ${lazy.sharesBroken} under shadow-lazy`,
    evidence: evidence("snapshot", "4k"),
    checks: [
      {
        direction: "ept adds more exits than shadow-lazy",
        holds: added(ept) > added(lazy),
      },
      {
        direction: "A/D bits break the shares of guest tables that are only walked",
        holds: ept.sharesBroken > wp.sharesBroken,
      },
      {
        direction: "without them nested paging copies what shadow paging copies",
        holds: wp.sharesBroken === lazy.sharesBroken,
      },
    ],
  };
}

function hugePages(large: readonly ShareRow[], small: readonly ShareRow[]): SharingAnswer {
  const [ept, ept4k] = [of(large, "ept"), of(small, "ept")];
  return {
    title: "What do huge pages cost when memory is shared?",
    claim: say`Merging one page of a large one takes the others with it: they are unmapped unasked, fault again one by one, and the large page is gone.`,
    number: say`${ept.neighboursUnmapped} neighbours unmapped under ept on large host pages, ${ept4k.neighboursUnmapped} on small ones; exits grow from ${ept.exitsAlone} to ${ept.exits}`,
    evidence: evidence("merge", "2m"),
    checks: [
      {
        direction: "large host pages lose neighbours, small ones none",
        holds: ept.neighboursUnmapped > 0 && ept4k.neighboursUnmapped === 0,
      },
      {
        direction: "the exits that large pages had saved come back",
        holds: ept.exits > 10 * Math.max(1, ept.exitsAlone),
      },
    ],
  };
}

function overcommit(rows: readonly ShareRow[]): SharingAnswer {
  const [lazy, ept] = [of(rows, "shadow-lazy"), of(rows, "ept")];
  const ratio = addedCycles(ept) / addedCycles(lazy);
  return {
    title: "What does overcommit cost?",
    claim: say`Overcommit costs every scheme the same: waiting for the swap device is all of it, and exits hardly count.`,
    number: say`${ept.hostMajorFaults} major faults and ${six(addedCycles(ept) / 1e6)} million cycles added under ept, ${lazy.hostMajorFaults} and ${six(addedCycles(lazy) / 1e6)} under shadow-lazy; exits added ${added(ept)} and ${added(lazy)}`,
    evidence: evidence("overcommit", "4k"),
    checks: [
      {
        direction: "the cycles added are the same within a twentieth",
        holds: ratio > 0.95 && ratio < 1.05,
      },
      { direction: "pages do come back", holds: ept.hostMajorFaults > 100 },
    ],
  };
}
