/** `shadewalk cost`: a cost file from a user's own machine, or a result in the shape of its tool. */
import { writeFileSync } from "node:fs";
import { Command, Option } from "@commander-js/extra-typings";
import { ConfigError } from "../../bench/input/config-error.ts";
import { costPresets, defaultCostPreset } from "../../bench/costs/cost-file.ts";
import { importPerf } from "../../bench/costs/perf-import.ts";
import type { TextFile } from "../../bench/costs/perf-table.ts";
import { readPoints } from "../../bench/files/read-results.ts";
import { readTextFile } from "../../bench/input/text-file.ts";
import { perfShape } from "../../report/perf-shape.ts";
import { wholeNumber } from "./options.ts";

export const cost = () =>
  new Command("cost")
    .description("Make a cost file from `perf kvm stat report`, or print results in its shape.")
    .option("--from-perf <file>", "saved output of `perf kvm stat report --event=vmexit`")
    .option("--debugfs <file>", "KVM's debugfs counters of the same time, divides memory exits")
    .option("--mhz <n>", "clock of the measured processor", wholeNumber("--mhz", 100, 10_000))
    .option(
      "--base <cost>",
      `everything perf does not time: a cost file, or one of ${costPresets.join(", ")}`,
      defaultCostPreset,
    )
    .option("-o, --out <file>", "where to write (default: standard output)")
    .addOption(
      new Option(
        "--perf-shape <points>",
        "a points.csv to print as `perf kvm stat report` would",
      ).conflicts(["fromPerf", "debugfs", "mhz", "base"]),
    )
    .addHelpText(
      "after",
      `
On the machine to be measured, as root, while the guest runs:
  perf kvm stat record -a sleep 10
  perf kvm stat report --event=vmexit 2> perf.txt | cat
  grep -H . /sys/kernel/debug/kvm/* > kvm.txt        before and after; subtract

perf writes the table to standard error, hence 2>; | cat keeps perf 6.4 and newer from opening a browser instead.
Several tables in one file count as one run: means are weighted by samples. Differences of gauges in kvm.txt, such
as mmu_unsync and pages_4k, may be negative.

perf times the hypervisor's work from exit to entry. The switch itself, lost caches, walks and guest work stay
those of --base.

Examples:
  npx shadewalk cost --from-perf perf.txt --mhz 2500 --out mine.yaml
  npx shadewalk price results/latest/points.csv --cost mine.yaml
  npx shadewalk cost --perf-shape results/latest/points.csv`,
    )
    .action(async ({ fromPerf, debugfs, mhz, base, out, perfShape: points }) => {
      if (points !== undefined) {
        write(out, perfShape(await readPoints(points)));
        return;
      }
      if (fromPerf === undefined) {
        throw new ConfigError("cost: --from-perf FILE or --perf-shape POINTS is needed");
      }
      if (mhz === undefined) {
        throw new ConfigError("cost --from-perf: --mhz N is needed, for perf prints microseconds");
      }
      const counters = debugfs === undefined ? null : textFile("--debugfs", debugfs);
      const table = textFile("--from-perf", fromPerf);
      const { yaml, ignored, notes } = importPerf({ table, counters, megahertz: mhz, base });
      write(out, yaml);
      for (const note of notes) console.error(note);
      if (ignored.length > 0) console.error(`without a price here: ${ignored.join(", ")}`);
    });

function write(out: string | undefined, text: string): void {
  if (out === undefined) console.log(text.trimEnd());
  else writeFileSync(out, text);
}

function textFile(option: string, name: string): TextFile {
  return { name, text: readTextFile(option, name) };
}
