/** `-e, --engines`: translation schemes by name, the same words in every command that takes them. */
import { Option } from "@commander-js/extra-typings";
import { catalogue } from "../../bench/points/catalogue.ts";
import { ConfigError } from "../../bench/input/config-error.ts";
import { nameList } from "./options.ts";

const readNames = nameList("engine", Object.keys(catalogue.engines));

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
