/** `shadewalk list`: every name that the other commands take. */
import { Command } from "@commander-js/extra-typings";
import {
  catalogue,
  describeEngines,
  describeWorkloads,
  nestingVariants,
} from "../../bench/points/catalogue.ts";
import { costPresets } from "../../bench/costs/cost-file.ts";
import { migrationSweepNames } from "../../host/migration/migration-sweep.ts";
import { sweepNames } from "../../bench/sweeps/sweep-files.ts";
import { charts } from "../../report/charts/index.ts";

/** Engines that are made of two, and what may help the inner one. */
const nestedNames: readonly (readonly [name: string, title: string])[] = [
  ["A@B", "A as the hypervisor of a guest of B's: npt@npt, shadow-lazy@npt, shadow@shadow, ..."],
  ...Object.entries(nestingVariants).map(
    ([word, { vendor, summary }]) => [`A@B+${word}`, `the same on ${vendor}: ${summary}`] as const,
  ),
];

export const list = () =>
  new Command("list")
    .description(
      "Print all engines, workloads with their parameters, presets, costs, sweeps, charts.",
    )
    .addHelpText("after", "\nParameters are shown with their defaults; pages are 4 KiB each.")
    .option("--json", "print the names as JSON", false)
    .action(({ json }) => {
      if (json) return console.log(JSON.stringify(names(), null, 1));
      const { presets } = catalogue;
      const engines = describeEngines();
      const width = Math.max(...engines.map(([name]) => name.length));
      section(
        "Engines",
        [...engines, ...nestedNames].map(([name, title]) =>
          `${name.padEnd(width)}  ${title}`.trimEnd(),
        ),
      );
      section("Workloads (parameters with defaults; pages are 4 KiB)", []);
      for (const [name, { title, summary, defaults, computeCycles }] of describeWorkloads()) {
        const params = Object.entries(defaults).map(([param, value]) => `${param}=${value}`);
        console.log(`  ${name}: ${title}`);
        console.log(`      ${params.join(" ")}`);
        console.log(`      ${summary}`);
        console.log(
          `      compute: ${computeCycles.perOp} cycles per op (${computeCycles.source})`,
        );
      }
      section(
        "Presets",
        Object.entries(presets).map(([name, { title }]) => `${name}: ${title}`),
      );
      section("Cost files", costPresets);
      section("Sweeps", sweepNames());
      section("Sweeps of migrations", migrationSweepNames());
      section("Charts", Object.keys(charts));
    });

function names() {
  const workloads = describeWorkloads().map(
    ([name, { title, summary, defaults }]) =>
      [name, { title, summary, parameters: defaults }] as const,
  );
  const presets = Object.entries(catalogue.presets).map(([name, { title }]) => [name, title]);
  return {
    engines: Object.fromEntries(describeEngines()),
    workloads: Object.fromEntries(workloads),
    presets: Object.fromEntries(presets) as Record<string, string>,
    costs: costPresets,
    sweeps: sweepNames(),
    migrationSweeps: migrationSweepNames(),
    charts: Object.keys(charts),
  };
}

function section(title: string, lines: readonly string[]): void {
  console.log(`${title}:`);
  for (const line of lines) console.log(`  ${line}`);
}
