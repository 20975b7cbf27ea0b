/** `shadewalk attack`: programs that try to get around a lock, against every scheme that enforces one. */
import { Command } from "@commander-js/extra-typings";
import { attackNames } from "../../policies/attack/attacks.ts";
import { runAttack } from "../../policies/attack/run-attack.ts";
import { schemeNames } from "../../policies/attack/schemes.ts";
import { searchAttacks } from "../../policies/search/search.ts";
import { matrixText, searchText, stepsText } from "../attack-text.ts";
import { refuseGiven } from "./given.ts";
import { jsonOption } from "./point-options.ts";
import { nameList, wholeNumber } from "./options.ts";

export const attack = () =>
  new Command("attack")
    .description("Run attacks on a locked page against schemes that guard it: held or BROKEN.")
    .option("-s, --scheme <names>", "schemes by name; all", schemesOf, schemeNames)
    .option("-a, --attack <names>", "attacks by name; all", attacksOf, attackNames)
    .option("--step", "every step: what the guest did, what was walked, what was answered", false)
    .option(
      "--search <n>",
      "every program of up to so many ops instead: which break the scheme",
      wholeNumber("--search", 1, 4),
    )
    .addOption(jsonOption("every outcome, step by step,"))
    .addHelpText(
      "after",
      `
One page T of the guest's kernel is guarded: its frame t must not change, and T must go on meaning t. An attack is a
short supervisor program. It is BROKEN if a load of T then gives the attacker's bytes. The number is how many VM exits
it took until the attack was over. What each scheme asks about, and why: docs/policies.md.

Examples:
  npx shadewalk attack                                        every attack against every scheme
  npx shadewalk attack --scheme ept-frame,shadow --attack remap --step   why EPT cannot see a remap
  npx shadewalk attack --search 2 --scheme shadow-rights,shadow          attacks that nobody thought of`,
    )
    .action(({ scheme, attack: chosen, step, search, json }, words) => {
      if (json) refuseGiven(words, ["step"], "is not used with --json, which has the steps");
      if (search !== undefined) {
        refuseGiven(words, ["attack", "step"], "with --search programs are drawn, not chosen");
        refuseGiven(words, ["json"], "is not used with --search");
        for (const name of schemeNames.filter((one) => scheme.includes(one))) {
          console.log(searchText(name, searchAttacks(name, search)));
        }
        return;
      }
      const outcomes = schemeNames
        .filter((name) => scheme.includes(name))
        .flatMap((name) =>
          attackNames.filter((one) => chosen.includes(one)).map((one) => runAttack(name, one)),
        );
      if (json) return console.log(JSON.stringify(outcomes, null, 1));
      console.log(step ? outcomes.map(stepsText).join("\n\n") : matrixText(outcomes));
    });

function schemesOf(text: string): readonly string[] {
  return text === "all" ? schemeNames : nameList("--scheme", schemeNames)(text);
}

function attacksOf(text: string): readonly string[] {
  return text === "all" ? attackNames : nameList("--attack", attackNames)(text);
}
