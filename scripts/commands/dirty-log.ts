/** `shadewalk dirty-log`: Linux's dirty_log_perf_test, with its letters, on the simulated machine. */
import { pageSizeWords } from "../../bench/results/result.ts";
import { writeFileSync } from "node:fs";
import { Command } from "@commander-js/extra-typings";
import { catalogue, engineNamed } from "../../bench/points/catalogue.ts";
import { ConfigError, pick, quote } from "../../bench/input/config-error.ts";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import { phasesCsv } from "../../host/dirty-log/dirty-log-table.ts";
import { takesDirtyLogOptions } from "../../host/dirty-log/policy-engines.ts";
import { runDirtyLog } from "../../host/dirty-log/run-dirty-log.ts";
import {
  clearPagesOf,
  type DirtyLogSettings,
  pagesOf,
  ringEntriesOf,
} from "../../host/dirty-log/settings.ts";
import { phasesText } from "../dirty-log-text.ts";
import { addForeignLetters, foreignLetterNotes } from "./dirty-log-letters.ts";
import { refuseGiven } from "./given.ts";
import { oneOf, seedMax, wholeNumber, yesOrNo } from "./options.ts";

/** Backing sources of the test and their pages; where a source gets them from makes no difference here. */
const backings = {
  anonymous: "4k",
  anonymous_thp: "2m",
  anonymous_hugetlb: "2m",
  anonymous_hugetlb_2mb: "2m",
  shmem: "4k",
  shared_hugetlb: "2m",
  anonymous_hugetlb_1gb: "1g",
} as const;
const backingNames = Object.keys(backings) as (keyof typeof backings)[];

const createCommand = () =>
  new Command("dirty-log")
    .description("Run Linux's dirty_log_perf_test on the simulated machine, with the same letters.")
    .option("-b, --bytes <size>", "memory of each vCPU, such as 10M or 3G", "1G")
    .option("-v, --vcpus <n>", "vCPUs, in lock step", wholeNumber("-v", 1, 64), 1)
    .option("-o, --overlap", "all vCPUs go over all memory, not each over its own", false)
    .option("-w, --write-percent <n>", "share of writes", wholeNumber("-w", 0, 100), 100)
    .option("-a, --random-access", "pages at random rather than in order", false)
    .option("-i, --iterations <n>", "rounds of dirty, get and clear", wholeNumber("-i", 1, 1000), 2)
    .option("-x, --slots <n>", "memslots, each logged by itself", wholeNumber("-x", 1, 32_764), 1)
    .option("-k, --clear-chunk <size>", "clear by pieces of this size (default: a memslot at once)")
    .option(
      "-s, --backing-src <type>",
      backingNames.join(", "),
      oneOf("-s", backingNames),
      "anonymous",
    )
    .option("-g, --no-manual-protect", "a get arms its pages again, instead of a clear by range")
    .option("-e, --run-while-disabling", "vCPUs go over memory once more while logging ends", false)
    .option(
      "-r, --random-seed <n>",
      "decides every random choice",
      wholeNumber("-r", 0, seedMax),
      1,
    )
    .option("--engine <name>", "scheme and tracker", "ept-pml")
    .option("--preset <name>", "processor", "skylake-sp")
    .option(
      "--eager-page-split <y/n>",
      "large leaves split before logging, as the module parameter says",
      yesOrNo("--eager-page-split"),
    )
    .option(
      "--collapse <when>",
      "large leaves after logging: next-fault, at-once or never",
      oneOf("--collapse", ["next-fault", "at-once", "never"]),
    )
    .option(
      "-d, --ring <entries>",
      "a dirty ring per vCPU instead of the bitmap, a power of two; 0 for the bitmap",
      (text) => ringEntriesOf("--ring", text),
    )
    .option("--gigahertz <n>", "clock, to print times beside cycles", gigahertzOf)
    .option("--check", "check every access, and that no write is lost, against the oracle", false)
    .option("--csv <file>", "write the phases with all counters to this file")
    .option("--json", "print the phases with all counters as JSON", false);

const helpText = `
Phases as in the test: populate (all pages written in order), enable, then per iteration dirty, get and clear, and
disable. Manual protect is on unless -g or --ring, as there: logging starts with every page dirty and none protected
(KVM_DIRTY_LOG_INITIALLY_SET), so the first iteration takes no exits.
-m, -c, -n, -p, -j and -l of the test are taken, each with a note that it has no meaning here. As there, -e takes no name.
Engines without a dirty log report nothing. kvm-* and kvm-tdp* have KVM's own log, which arms at the get whatever -g says.
Counts are events; cycles come from the cost file of the preset.

Examples:
  npx shadewalk dirty-log -b 1G -g --engine ept-wp
  npx shadewalk dirty-log -b 256M -v 4 -x 2 -w 50 -a --engine ept-pml-lazy --gigahertz 2.1
  npx shadewalk dirty-log -b 64M -g --engine ept-pml --ring 4096
  npx shadewalk dirty-log -b 64M -g --engine ept-ad@ept         a guest in a guest, logged by L1`;

export const dirtyLog = () => {
  const command = createCommand().addHelpText("after", helpText);
  addForeignLetters(command);
  return command.action((options, given) => {
    const settings = settingsOf(options);
    if (!takesDirtyLogOptions(settings.factory)) {
      const why = `is not used by ${options.engine}, which keeps its own log or none`;
      refuseGiven(given, ["eagerPageSplit", "collapse", "ring"], why);
    }
    if (options.json) refuseGiven(given, ["gigahertz"], "is not used with --json");
    const cost = presetCosts()(options.preset);
    for (const note of notesOf(options)) console.error(`dirty-log: ${note}`);
    const phases = runDirtyLog(settings, { cost, check: options.check });
    if (options.csv !== undefined) writeFileSync(options.csv, phasesCsv(phases));
    if (options.json) console.log(JSON.stringify(phases, null, 1));
    else console.log(`${headline(settings)}\n\n${phasesText(phases, options.gigahertz ?? null)}`);
  });
};

type Options = ReturnType<ReturnType<typeof createCommand>["opts"]>;

/** As in the test, a ring is reset by the get: it goes without manual protect. */
function isManual({ manualProtect, ring }: Options): boolean {
  return manualProtect && (ring ?? null) === null;
}

/** What was given and changes nothing, and why. */
function notesOf(options: Options): string[] {
  const notes = foreignLetterNotes(options);
  if (options.clearChunk !== undefined && !isManual(options)) {
    notes.push("-k has no meaning here: nothing is cleared under -g or with a ring");
  }
  return notes;
}

function settingsOf(options: Options): DirtyLogSettings {
  const { engine, ring, eagerPageSplit, collapse } = options;
  return {
    engine,
    factory: engineNamed(engine).create,
    preset: pick(catalogue.presets, options.preset, "preset"),
    pagesPerVcpu: pagesOf("-b", options.bytes),
    vcpus: options.vcpus,
    regions: options.overlap ? "overlapping" : "partitioned",
    order: options.randomAccess ? "random" : "sequential",
    writePercent: options.writePercent,
    slots: options.slots,
    clearPages: options.clearChunk === undefined ? null : clearPagesOf("-k", options.clearChunk),
    backing: backings[options.backingSrc],
    iterations: options.iterations,
    disabling: options.runWhileDisabling ? "running" : "stopped",
    dirtyLog: {
      armedBy: isManual(options) ? "clear-initially-set" : "get",
      ...(eagerPageSplit === undefined ? {} : { split: eagerPageSplit ? "first" : "when-written" }),
      ...(collapse === undefined ? {} : { collapse }),
      ...(ring === undefined ? {} : { ringEntries: ring }),
    },
    seed: options.randomSeed,
  };
}

function headline(settings: DirtyLogSettings): string {
  const { engine, preset, pagesPerVcpu, vcpus, backing, writePercent, slots, seed } = settings;
  const memory = `${counted(vcpus, "vCPU")} x ${pagesPerVcpu / 256} MiB, ${settings.regions}`;
  const guest = `${settings.order}, ${writePercent} % writes, seed ${seed}`;
  return `${engine}, ${preset.title}\n${memory}, ${counted(slots, "memslot")}, ${pageSizeWords[backing]} host pages, ${guest}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function gigahertzOf(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value < 100) return value;
  throw new ConfigError(`--gigahertz ${quote(text)}: must be a number above 0 and below 100`);
}
