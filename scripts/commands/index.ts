/** The registry of commands: a new one is its file and a line here. */
import { bench } from "./bench.ts";
import { list } from "./list.ts";

export const commands = [bench, list];
