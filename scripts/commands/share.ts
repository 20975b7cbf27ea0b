/** `shadewalk share`: guests that share memory, what it costs and saves under each engine. */
import { Command } from "@commander-js/extra-typings";
import { stringify } from "csv-stringify/sync";
import { catalogue } from "../../bench/points/catalogue.ts";
import { ConfigError, pick } from "../../bench/input/config-error.ts";
import { levelsOf } from "../../bench/points/levels.ts";
import { readParams } from "../../bench/points/params.ts";
import { scenarioNames, share as runShare, unusedSettings } from "../../host/sharing/share.ts";
import { sharingAnswers } from "../../host/sharing/answers.ts";
import { answersText, shareText } from "../share-text.ts";
import { otherNames, refuseGiven } from "./given.ts";
import { nameList, wholeNumber } from "./options.ts";
import { backingOption, jsonOption, levelsOption, seedOption } from "./point-options.ts";

const engineDefaults = ["shadow", "shadow-lazy", "ept"];
/** A key-value server small enough that every scenario under three engines takes seconds. */
const serverParams = ["pages=2048", "requests=4000", "writePercent=30"];

export const share = () =>
  new Command("share")
    .description(
      "Let guests share memory: snapshots, clones, merging, overcommit, balloons; count what it costs.",
    )
    .argument("[scenarios]", `of ${scenarioNames.join(", ")}, separated by commas`, "all")
    .option(
      "-e, --engines <names>",
      "translation schemes, separated by commas; not native",
      nameList("--engines", Object.keys(catalogue.engines)),
      engineDefaults,
    )
    .option("-w, --workload <name>", "guest program", "key-value")
    .option("-p, --param <name=value...>", "parameters of the workload, defaults for the rest")
    .option(
      "--guests <n>",
      "guests on the host; the scenario's own number without it",
      wholeNumber("--guests", 1, 16),
    )
    .option(
      "--every <n>",
      "accesses between two snapshots, passes of the merger or sizes of the balloon",
      wholeNumber("--every", 100, 1e9),
      10_000,
    )
    .option(
      "--limit <percent>",
      "share of a guest's pages that may stay in memory, for overcommit",
      wholeNumber("--limit", 1, 100),
      75,
    )
    .option("--preset <name>", "processor", "skylake-sp")
    .addOption(backingOption())
    .addOption(levelsOption())
    .addOption(seedOption())
    .option("--check", "oracles on every guest: translations, contents, isolation", false)
    .option("--answers", "print what sharing costs as claims with numbers, nothing else", false)
    .option("--csv", "print comma-separated values", false)
    .addOption(jsonOption("the rows"))
    .addHelpText(
      "after",
      `
Scenarios:
  snapshot      the host keeps the guest's contents by copy-on-write, again every --every accesses
  clone         guests after the first start with its memory, when its set-up is done
  merge         guests boot by themselves; equal pages share a frame, a pass every --every accesses
  merge-hidden  the same, but all that stood still loses every right, so that no exit tells what was merged
  overcommit    only --limit percent of the pages in use may stay in memory, the rest is swapped out
  balloon       the guest gives its free memory to the host, gets half of it back, gives it again, every --every

Columns: exits without and with the scenario; shares broken by a copy, or reused because nobody else was left;
4 KiB pages unmapped only because a neighbour in the same 2 MiB was; host faults; memory saved. Without -p the
key-value server has ${serverParams.join(", ")}.

Examples:
  npx shadewalk share
  npx shadewalk share --answers
  npx shadewalk share snapshot --backing 2m --engines shadow,ept,ept-wp
  npx shadewalk share overcommit --limit 50 --check
  npx shadewalk share clone --guests 8 --csv > clones.csv`,
    )
    .action(async (chosen, options, command) => {
      if (options.answers) {
        refuseGiven(command, otherNames(command, ["answers"]), "is not used with --answers");
        if (chosen !== "all") throw new ConfigError(`scenarios ${chosen}: not used with --answers`);
        console.log(answersText(await sharingAnswers()));
        return;
      }
      const read = nameList("scenarios", scenarioNames);
      const scenarios = chosen === "all" ? scenarioNames : (read(chosen) as typeof scenarioNames);
      const unused = unusedSettings(scenarios);
      refuseGiven(command, unused, `is not used by ${scenarios.join(", ")}`);
      const { workload, param, every, limit, levels, csv, json, ...rest } = options;
      if (json) refuseGiven(command, ["csv"], "is not used with --json");
      const source = pick(catalogue.workloads, workload, "workload");
      const words = param ?? (workload === "key-value" ? serverParams : []);
      const rows = await runShare({
        engines: rest.engines,
        preset: rest.preset,
        backing: rest.backing,
        seed: rest.seed,
        check: rest.check,
        ...levelsOf(levels),
        scenarios,
        workload,
        params: readParams(source, words),
        guests: options.guests,
        settings: { every, limitPercent: limit },
      });
      if (json) console.log(JSON.stringify(rows, null, 1));
      else if (csv) process.stdout.write(stringify([...rows], { header: true }));
      else console.log(shareText(rows));
    });
