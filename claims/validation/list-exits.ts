/**
 * The exits of one trace under one engine, in order: where a count that differs comes from.
 */
import { type EngineName, engines } from "../../engines/index.ts";
import { unknownName } from "../../bench/input/config-error.ts";
import { readTextFile } from "../../bench/input/text-file.ts";
import { ExitPrinter, parseExitList } from "./exit-list.ts";
import { replayTrace } from "./replay-trace.ts";
import { decode } from "./validate-worker.ts";

export interface ExitListing {
  readonly trace: string;
  /** Checked here: a name that a user wrote. */
  readonly engine: string;
  /** A file with the exits to compare with, or null. */
  readonly list: string | null;
  readonly print: (line: string) => void;
}

/** Prints them; false when they differ from the list, which ends the printing. */
export async function listExits({ trace, engine, list, print }: ExitListing): Promise<boolean> {
  const names = Object.keys(engines) as EngineName[];
  const known = names.find((name) => name === engine);
  if (known === undefined) throw unknownName("engine", engine, names);
  const listed = list === null ? null : parseExitList(readTextFile("exit list", list), list);
  const printer = new ExitPrinter(print, listed);
  replayTrace(await decode(trace), known, {
    exit: (exit) => {
      printer.exit(exit);
    },
    phase: (name) => {
      printer.phase(name);
    },
  });
  printer.end();
  return !printer.differs;
}
