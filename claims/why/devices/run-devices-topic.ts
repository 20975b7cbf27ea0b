/**
 * Runs experiments about devices, each run once, and writes all runs beside what is read from them.
 */
import { writeFile } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { replaceFiles } from "../../../bench/files/result-files.ts";
import type { NamedFinding } from "../run-why.ts";
import { type DmaExperiment, dmaFindings, runDmaPoints } from "./experiment.ts";

/** The table of all runs. */
const rowsFile = "devices.csv";

export interface DevicesWhy {
  readonly findings: readonly NamedFinding[];
  /** Files written below the folder. */
  readonly files: readonly string[];
}

export async function runDevicesTopic(
  experiments: Readonly<Record<string, DmaExperiment>>,
  out: string,
): Promise<DevicesWhy> {
  const results = runDmaPoints(Object.values(experiments));
  const text = stringify(
    results.map(({ row }) => row),
    { header: true },
  );
  const writers = { [rowsFile]: (path: string) => writeFile(path, text) };
  await replaceFiles(out, writers, { sums: "all" });
  const findings = dmaFindings(results);
  return {
    findings: Object.entries(experiments).map(([name, { title, read }]) => {
      return { name, title, ...read(findings) };
    }),
    files: [rowsFile],
  };
}
