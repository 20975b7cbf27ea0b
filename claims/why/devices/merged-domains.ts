/**
 * When two devices are better off in one domain: what is saved and what is paid, by how much of their buffers they share.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import {
  type DomainPlan,
  domainPlans,
  type DomainRow,
  runDomains,
} from "../../../host/dma/run-domains.ts";
import type { Finding } from "../../../bench/results/answer.ts";
import type { DmaExperiment } from "./experiment.ts";

const shares = [0, 25, 50, 67, 75, 100] as const;

export const domainRows = (): readonly DomainRow[] =>
  [false, true].flatMap((ats) =>
    shares.flatMap((sharedPercent) =>
      domainPlans.map((plan) => runDomains({ plan, sharedPercent, ats })),
    ),
  );

const perUnmap = (row: DomainRow) => six(row.submissions / row.unmaps);
const missPercent = (row: DomainRow) => six((100 * row.tlbMisses) / row.requests);

/** What the rows say. */
export function readDomainRows(rows: readonly DomainRow[]): Finding {
  const of = (plan: DomainPlan, sharedPercent: number, ats: boolean): DomainRow => {
    const row = rows.find(
      (one) => one.plan === plan && one.sharedPercent === sharedPercent && one.ats === ats,
    );
    if (row === undefined) throw new Error(`bug: domains: no run of ${plan} at ${sharedPercent}`);
    return row;
  };
  /** Does one domain take fewer submissions than two? */
  const saves = (share: number, ats: boolean) =>
    perUnmap(of("merged", share, ats)) < perUnmap(of("apart", share, ats));
  const firstSaving = (ats: boolean) => shares.find((share) => saves(share, ats)) ?? 100;
  const [apart, merged] = [of("apart", 100, false), of("merged", 100, false)];
  return {
    claim: say`One domain for two devices pays where they share buffers: a shared page is one entry of the IOTLB and one invalidation. Where the devices have no TLBs of their own it never takes more submissions, only protection: each reaches what the other has mapped. Where they have, each unmapping of what is not shared tells both, so merging costs until most is shared. No share of common pages is the right one for both: a rule that counts what each pair would have told, apart and together, merges where that saves and nowhere else.`,
    number: say`All shared: ${perUnmap(merged)} submissions per unmapping in place of ${perUnmap(apart)}, ${missPercent(merged)} IOTLB misses per hundred requests in place of ${missPercent(apart)}. Fewer submissions from ${firstSaving(false)} % shared on, with TLBs in the devices from ${firstSaving(true)} %. Nothing shared: ${perUnmap(of("merged", 0, true))} in place of ${perUnmap(of("apart", 0, true))} with such TLBs, and ${of("merged", 0, false).foreignPages} pages within reach that are the other's. A change of domain takes ${of("merged", 0, false).moveSubmissions} submissions, ${of("merged", 0, true).moveSubmissions} with such TLBs, and refuses what is asked meanwhile.`,
    evidence: say`devices-merged-domains.csv`,
    change: say`Devices that share nothing but a domain gain nothing; two functions of one card that work on the same buffers gain all of it.`,
    checks: [
      {
        direction: "without device TLBs one domain saves submissions as soon as anything is shared",
        holds: saves(25, false) && !saves(0, false),
      },
      {
        direction: "with them it costs submissions while little is shared, and saves when all is",
        holds:
          perUnmap(of("merged", 25, true)) > perUnmap(of("apart", 25, true)) && saves(100, true),
      },
      {
        direction: "a rule that counts is at every share as good as the better of both",
        holds: [false, true].every((ats) =>
          shares.every((share) =>
            (["apart", "merged"] as const).every(
              (plan) => of("counted", share, ats).submissions <= of(plan, share, ats).submissions,
            ),
          ),
        ),
      },
      {
        direction: "at half it merges without device TLBs and not with them",
        holds: of("counted", 50, false).moves > 0 && of("counted", 50, true).moves === 0,
      },
      {
        direction: "what fits the IOTLB only when merged hits there",
        holds: missPercent(merged) < missPercent(apart) / 2,
      },
      {
        direction: "the price without device TLBs is reach",
        holds: of("merged", 0, false).foreignPages > 0 && of("apart", 0, false).foreignPages === 0,
      },
      {
        direction: "a change of domain refuses requests",
        holds: of("merged", 100, false).refused > 0 && of("apart", 100, false).refused === 0,
      },
      {
        direction: "and it changes a domain once, not to and fro",
        holds: rows.every(({ plan, moves }) => plan !== "counted" || moves <= 1),
      },
    ],
    tables: [
      {
        name: "devices-merged-domains",
        rows: rows.map((row) => ({
          plan: row.plan,
          sharedPercent: row.sharedPercent,
          deviceTlbs: row.ats ? "yes" : "no",
          missPercent: missPercent(row),
          submissionsPerUnmap: perUnmap(row),
          moves: row.moves,
          moveSubmissions: row.moveSubmissions,
          refused: row.refused,
          foreignPages: row.foreignPages,
        })),
      },
    ],
    figures: [],
  };
}

export const mergedDomains: DmaExperiment = {
  title: "When do merged domains pay?",
  // Two devices are no point of a device program: its runs are its own.
  points: [],
  read: () => readDomainRows(domainRows()),
};
