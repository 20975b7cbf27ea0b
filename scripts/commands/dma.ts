/** `shadewalk dma`: a device that a guest drives, under each scheme for its IO tables. */
import { Command } from "@commander-js/extra-typings";
import { stringify } from "csv-stringify/sync";
import {
  deviceProgramNames,
  devicePrograms,
  dmaSchemeNames,
  dmaSchemes,
  type DmaSchemeName,
  iommuPresetNames,
  readDeviceParams,
} from "../../host/dma/catalogue.ts";
import { type DmaRow, runDma } from "../../host/dma/run-dma.ts";
import { sightsOf } from "../../host/dma/scenario.ts";
import { dmaScenarios } from "../../host/dma/scenarios.ts";
import { stepDma } from "../../host/dma/step-dma.ts";
import { scenarioText } from "../dma-scenario-text.ts";
import { steppedText } from "../dma-step-text.ts";
import { fuzzSchemes } from "../../host/dma/fuzz-schemes.ts";
import { besideSchemes, isBesideScheme } from "../../host/beside/computer-beside.ts";
import { fuzzManyBeside } from "../../host/beside/fuzz-many.ts";
import { ConfigError } from "../../bench/input/config-error.ts";
import { besideLine, dmaText, fuzzLine } from "../dma-text.ts";
import { otherNames, refuseGiven } from "./given.ts";
import { nameList, oneOf, pageSize, wholeNumber } from "./options.ts";
import { jsonOption, seedOption } from "./point-options.ts";

const listed = Object.entries(dmaSchemes)
  .map(([name, { title }]) => `  ${name.padEnd(15)} ${title}`)
  .join("\n");
const programsListed = Object.entries(devicePrograms)
  .map(([name, { title, defaults }]) => {
    const words = Object.entries(defaults).map(([param, value]) => `${param}=${value}`);
    return `  ${name.padEnd(15)} ${title}\n  ${"".padEnd(15)} ${words.join(" ")}`;
  })
  .join("\n");

const scenarioNames = Object.keys(dmaScenarios) as (keyof typeof dmaScenarios)[];
const scenariosListed = Object.entries(dmaScenarios)
  .map(([name, { title }]) => `  ${name.padEnd(17)} ${title}`)
  .join("\n");

const help = `
Schemes:
${listed}

Programs and their parameters:
${programsListed}

Scenarios:
${scenariosListed}

Columns: host calls are those that map or unmap for a device; invalidations are submissions to the host's IOMMU; references
are memory reads of walks, context structures included; pinned is the share of guest memory; exposed is how long after
its unmapping the guest's kernel must take a page to be within reach of the device.

Examples:
  npx shadewalk dma
  npx shadewalk dma shadow-cm,shadow-wp,nested -w nvme-queue --flush lazy --check
  npx shadewalk dma --scenario hidden-pages,device-tlb
  npx shadewalk dma --fuzz 4
  npx shadewalk dma shadow-cm,pinned --fuzz 2 --beside
  npx shadewalk dma shadow-cm,shadow-wp,nested --step 2 --preset textbook
  npx shadewalk dma -w stream-reader -p pageSize=2m --backing 2m --csv > stream.csv`;

export const dma = () =>
  new Command("dma")
    .description(
      "Let a guest drive a device under each scheme for its IO tables; count what it costs.",
    )
    .argument("[schemes]", "schemes, separated by commas", "all")
    .option(
      "-w, --workload <name>",
      "device program",
      oneOf("--workload", deviceProgramNames),
      "nic-ring",
    )
    .option("-p, --param <name=value...>", "parameters of the program, defaults for the rest")
    .option(
      "--flush <when>",
      "what the guest's kernel is asked for: strict or lazy",
      oneOf("--flush", ["strict", "lazy"]),
      "strict",
    )
    .option("--backing <size>", "host pages: 4k or 2m", pageSize("--backing", ["4k", "2m"]), "4k")
    .option(
      "--preset <name>",
      "IOMMU: vt-d or textbook",
      oneOf("--preset", iommuPresetNames),
      "vt-d",
    )
    .addOption(seedOption())
    .option("--check", "let the oracle judge every access of the device", false)
    .option(
      "--fuzz <seeds>",
      "instead of a program: ill-behaved drivers and devices at random, strict and lazy, under the oracle",
      wholeNumber("--fuzz", 1, 1_000_000),
    )
    .option(
      "--beside",
      "with --fuzz: beside a guest that runs programs, on a host that swaps, shares, merges, takes and migrates",
      false,
    )
    .option(
      "--step <pages>",
      "instead of a program: one mapping of so many scattered pages, everything that it sets off",
      wholeNumber("--step", 1, 512),
    )
    .option(
      "--scenario <names>",
      "instead of a program: make happen what shadow tables for devices do, and look: all, or some",
    )
    .option("--csv", "print comma-separated values", false)
    .addOption(jsonOption("the rows"))
    .addHelpText("after", help)
    .action((chosen, { fuzz, beside, step, scenario, ...options }, command) => {
      if (scenario !== undefined) {
        refuseGiven(command, otherNames(command, ["scenario"]), "is not used with --scenario");
        showScenarios(scenario, chosen);
        return;
      }
      const read = nameList("schemes", dmaSchemeNames);
      const schemes = chosen === "all" ? dmaSchemeNames : (read(chosen) as DmaSchemeName[]);
      if (fuzz !== undefined) {
        const unused = otherNames(command, ["fuzz", "seed", "beside"]);
        refuseGiven(command, unused, "is not used with --fuzz");
        if (!beside) fuzzAlone(schemes, options.seed, fuzz);
        else fuzzBeside(chosen === "all" ? besideSchemes : schemes, options.seed, fuzz);
        return;
      }
      refuseGiven(command, ["beside"], "needs --fuzz");
      if (step !== undefined) {
        const used = ["step", "flush", "backing", "preset", "seed"];
        refuseGiven(command, otherNames(command, used), "is not used with --step");
        const stepped = schemes.map((scheme) => stepDma({ ...options, scheme, pages: step }));
        console.log(stepped.map(steppedText).join("\n\n"));
        return;
      }
      const { workload: program, param, csv, json, ...rest } = options;
      if (json) refuseGiven(command, ["csv"], "is not used with --json");
      const params = readDeviceParams(program, param ?? []);
      const rows = schemes.map((scheme) => runDma({ ...rest, scheme, program, params }));
      print(rows, json ? "json" : csv ? "csv" : "text");
    });

function print(rows: readonly DmaRow[], as: "json" | "csv" | "text"): void {
  const [first] = rows;
  if (as === "json") console.log(JSON.stringify(rows, null, 1));
  else if (as === "csv") process.stdout.write(stringify([...rows], { header: true }));
  else if (first !== undefined) {
    const { title, summary } = devicePrograms[first.program];
    console.log(dmaText(title, summary, rows));
  }
  if (rows.some(({ mismatches }) => mismatches > 0)) process.exitCode = 1;
}

function showScenarios(chosen: string, schemes: string): void {
  if (schemes !== "all") throw new ConfigError("schemes: --scenario has its own");
  const names = chosen === "all" ? scenarioNames : nameList("--scenario", scenarioNames)(chosen);
  for (const name of names as typeof scenarioNames) {
    const scenario = dmaScenarios[name];
    const sights = sightsOf(scenario);
    console.log(scenarioText(name, scenario.title, sights));
    if (sights.some(({ holds }) => !holds)) process.exitCode = 1;
  }
}

function fuzzAlone(schemes: readonly DmaSchemeName[], seed: number, seeds: number): void {
  for (const one of fuzzSchemes({ schemes, seed, seeds })) {
    console.log(fuzzLine(one));
    if (one.wrong.length > 0) process.exitCode = 1;
  }
}

function fuzzBeside(names: readonly DmaSchemeName[], seed: number, seeds: number): void {
  const schemes = names.map((name) => {
    if (isBesideScheme(name)) return name;
    throw new ConfigError(
      `--beside: ${name} has no hypervisor. Allowed: ${besideSchemes.join(", ")}`,
    );
  });
  let isWrong = false;
  for (const one of fuzzManyBeside({ schemes, seed, seeds })) {
    console.log(besideLine(one));
    isWrong ||= one.wrong !== null;
  }
  if (isWrong) process.exitCode = 1;
}
