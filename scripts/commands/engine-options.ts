/** `-e, --engines`: translation schemes by name, the same words in every command that takes them. */
import { Option } from "@commander-js/extra-typings";
import { engineProblem } from "../../bench/points/catalogue.ts";
import { ConfigError, quote } from "../../bench/input/config-error.ts";

/** Names separated by commas, `A@B` for A in a guest of B's among them. */
function readNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    const problem = engineProblem(name);
    if (problem !== undefined) throw new ConfigError(`engine ${quote(name)}: ${problem}`);
  }
  return names;
}

/** `about` says what becomes of several; `otherwise` is the default that the help shows. */
export const enginesFlag = (about: string, otherwise?: string) =>
  new Option(
    "-e, --engines <names>",
    about + (otherwise === undefined ? "" : ` (default: ${otherwise})`),
  ).argParser(readNames);

/** What the option was called when it took one name. */
export const engineFlag = () => new Option("--engine <names>").argParser(readNames).hideHelp();

interface Given {
  readonly engines?: readonly string[] | undefined;
  readonly engine?: readonly string[] | undefined;
}

/** The engines that were asked for, each once. */
export function enginesGiven({ engines, engine }: Given, otherwise: string): string[] {
  if (engines !== undefined && engine !== undefined) {
    throw new ConfigError("--engine: is not used beside --engines, which takes several");
  }
  return [...new Set(engines ?? engine ?? [otherwise])];
}
