/** `shadewalk shadow-stack`: a second stack of return addresses, kept in several ways: what a call costs, what attacks do. */
import { Command } from "@commander-js/extra-typings";
import { stackAttackNames } from "../../policies/stack/stack-attacks.ts";
import { stackRow } from "../../policies/stack/stack-rows.ts";
import { type StackSchemeName, stackSchemeNames } from "../../policies/stack/stack-schemes.ts";
import { shadowStackText } from "../shadow-stack-text.ts";
import { nameList, wholeNumber } from "./options.ts";
import { jsonOption } from "./point-options.ts";

export const shadowStack = () =>
  new Command("shadow-stack")
    .description(
      "Keep a program's return addresses twice: what a call costs, and what an attack does.",
    )
    .argument("[schemes]", `of ${stackSchemeNames.join(", ")}, separated by commas`, "all")
    .option(
      "--calls <n>",
      "calls, each with its return",
      wholeNumber("--calls", 1, 1_000_000),
      1000,
    )
    .option(
      "--work <cycles>",
      "what the program does from one call to the next; 50: a hundred instructions",
      wholeNumber("--work", 0, 1_000_000),
      50,
    )
    .option("--check", "the oracle on every access", false)
    .addOption(jsonOption("a row per scheme, with the steps of every attack,"))
    .addHelpText(
      "after",
      `
An attacker has overwritten the return address on the program's own stack and tries to make the shadow stack say the
same: held or BROKEN, and how many VM exits that took. How each scheme works: docs/policies.md.

Examples:
  npx shadewalk shadow-stack
  npx shadewalk shadow-stack call-shadow,window --work 500 --check`,
    )
    .action((chosen, { json, ...settings }) => {
      const names =
        chosen === "all"
          ? stackSchemeNames
          : (nameList("schemes", stackSchemeNames)(chosen) as StackSchemeName[]);
      const rows = names.map((name) => stackRow(name, stackAttackNames, settings));
      console.log(json ? JSON.stringify(rows, null, 1) : shadowStackText(rows));
    });
