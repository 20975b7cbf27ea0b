/** Options that say on what one point runs; the same words in every command that takes one. */
import { Option } from "@commander-js/extra-typings";
import { anyLevelPairs } from "../../bench/points/levels.ts";
import { hostPageSizes } from "../../bench/results/result.ts";
import { oneOf, pageSize, seedMax, wholeNumber } from "./options.ts";

export const backingOption = () =>
  new Option("--backing <size>", "host pages: 4k, 2m or 1g")
    .argParser(pageSize("--backing", hostPageSizes))
    .default("4k" as const);

export const levelsOption = () =>
  new Option("--levels <pair>", `guest-on-nested table levels: ${anyLevelPairs.join(", ")}`)
    .argParser(oneOf("--levels", anyLevelPairs))
    .default("4-on-4" as const);

export const jsonOption = (what: string) =>
  new Option("--json", `print ${what} as JSON`).default(false);

export const seedOption = () =>
  new Option("-s, --seed <n>", "decides every random choice")
    .argParser(wholeNumber("--seed", 0, seedMax))
    .default(1);
