/**
 * A/D scan against PML as memory grows around the same hot set.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { MigrationExperiment } from "./experiment.ts";
import { cyclesPerReading, endless, writerOf } from "./programs.ts";

const engines = ["ept-ad", "ept-pml"] as const;
const sizes = [2000, 8000, 32_000] as const;
const hotPages = 320;

function pointOf(engine: string, pages: number) {
  // Fast enough that the first pass of the largest guest leaves time for readings.
  const migration = { ...endless, bandwidth: 4e12 };
  return { ...writerOf(pages, hotPages, 480_000), engine, migration };
}

export const scanOrLog: MigrationExperiment = {
  title: "A/D scan or PML, as memory grows?",
  points: sizes.flatMap((pages) => engines.map((engine) => pointOf(engine, pages))),

  read({ of }) {
    const table = sizes.map((pages) => {
      const perReading = (engine: string) => cyclesPerReading(of(pointOf(engine, pages)));
      return {
        mebibytes: pages / 256,
        scanCyclesPerReading: six(perReading("ept-ad")),
        pmlCyclesPerReading: six(perReading("ept-pml")),
        slowdownScan: six(of(pointOf("ept-ad", pages)).outcome.trackerSlowdown),
        slowdownPml: six(of(pointOf("ept-pml", pages)).outcome.trackerSlowdown),
      };
    });
    const [first, , last] = table;
    if (first === undefined || last === undefined) throw new Error("bug: why: a size less");
    const scanGrowth = last.scanCyclesPerReading / first.scanCyclesPerReading;
    const growth = last.pmlCyclesPerReading / first.pmlCyclesPerReading;
    return {
      claim: say`A scan costs what memory is large, PML what memory was written: with the same hot set the price of looking grows with the guest, and that of the log does not.`,
      number: say`A reading of the log of ${first.mebibytes} MiB takes ${first.scanCyclesPerReading} cycles by scan and ${first.pmlCyclesPerReading} by PML, of ${last.mebibytes} MiB ${last.scanCyclesPerReading} and ${last.pmlCyclesPerReading}: sixteen times the memory makes the scan ${scanGrowth} times as dear and PML ${growth} times. In a guest as small as the first the scan need not be the dearer one, for it interrupts no vCPU.`,
      evidence: say`scan-or-log.csv; migration.csv`,
      change: say`When nearly all of memory is written between two questions a scan reads little in vain, and it needs no exit for a full log.`,
      checks: [
        { direction: "the scan's price grows with memory, by two or more", holds: scanGrowth > 2 },
        {
          direction: "in the largest guest a scan costs twice what PML does",
          holds: last.scanCyclesPerReading > 2 * last.pmlCyclesPerReading,
        },
        { direction: "PML's price grows by less than 1.5", holds: growth < 1.5 },
      ],
      tables: [{ name: "scan-or-log", rows: table }],
      figures: [],
    };
  },
};
