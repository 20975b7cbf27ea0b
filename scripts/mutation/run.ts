#!/usr/bin/env node
/**
 * `npm run mutation`: plants small faults, one at a time, and says which of them no test notices.
 *
 * Exit codes: 0 every room reached its goal, 1 one did not, 2 wrong usage.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { z } from "zod";
import { ConfigError } from "../../bench/config-error.ts";
import { errorReport } from "../error-report.ts";
import { chooseMutants } from "./choose.ts";
import { isEquivalent, readKnown } from "./known.ts";
import { isStrykerThere, runStryker } from "./run-stryker.ts";
import type { Mutant } from "./mutants.ts";
import { isAlive, mutantLine, type Outcome, scoreLines, scoreRooms } from "./score.ts";

const lastRun = "node_modules/.cache/mutation/last.json";

const program = new Command("mutation")
  .description("Plant small faults, one at a time, and list those that no test notices.")
  .option("--count <n>", "how many mutants, spread over all files", whole, 300)
  .option("--seed <word>", "which ones", "1")
  .option("--file <glob...>", "all mutants of these files instead")
  .option("--since <commit>", "all mutants on lines that changed since then instead")
  .option("--survivors", "of the chosen, only those that survived the run before", false)
  .option("--list", "print the chosen mutants and run nothing", false)
  .exitOverride()
  .configureOutput({ outputError: () => undefined });

try {
  const { count, seed, file = [], since, survivors, list } = program.parse().opts();
  if (file.length > 0 && since !== undefined) {
    throw new ConfigError("--file and --since: one of them");
  }
  const mutants = await chooseMutants({ count, seed, files: file, since });
  const before = survivors ? readLast() : new Map<string, Outcome["status"]>();
  const again = mutants.filter(({ id }) => before.get(id) !== "killed");
  if (list) for (const mutant of mutants) console.log(mutantLine(mutant));
  else await run(mutants, again, before);
} catch (error) {
  const { text, exitCode } = errorReport(error);
  if (text !== "") console.error(text);
  process.exitCode = exitCode;
}

async function run(
  mutants: readonly Mutant[],
  again: readonly Mutant[],
  before: ReadonlyMap<string, Outcome["status"]>,
): Promise<void> {
  if (!isStrykerThere()) {
    throw new ConfigError(
      "Stryker is not there: start this with npm run mutation, which fetches it",
    );
  }
  const known = readKnown();
  const status = new Map(before);
  for (const { id } of again) status.delete(id);
  await runStryker(again, (outcomes) => {
    for (const outcome of outcomes) {
      status.set(outcome.mutant.id, outcome.status);
      if (isAlive(outcome))
        console.log(survivorLine(outcome, known.get(outcome.mutant.id)?.reason));
    }
    writeLast(status);
  });
  const outcomes = mutants.map((mutant): Outcome => ({
    mutant,
    status: status.get(mutant.id) ?? "uncovered",
  }));
  const scores = scoreRooms(outcomes, (mutant) => isEquivalent(known, mutant));
  for (const line of scoreLines(scores)) console.log(line);
  process.exitCode = scores.every(({ percent, goalPercent }) => percent >= goalPercent) ? 0 : 1;
}

function survivorLine({ mutant, status }: Outcome, reason = "not explained yet"): string {
  return `${status} ${mutant.id} ${mutantLine(mutant)} (${reason})`;
}

/** After each room, so that a run that is stopped can go on with `--survivors`. */
function writeLast(status: ReadonlyMap<string, Outcome["status"]>): void {
  mkdirSync(dirname(lastRun), { recursive: true });
  writeFileSync(lastRun, JSON.stringify([...status]));
}

function readLast(): ReadonlyMap<string, Outcome["status"]> {
  if (!existsSync(lastRun)) throw new ConfigError("--survivors: no run before this one");
  const status = z.enum(["killed", "survived", "uncovered", "static"]);
  const json: unknown = JSON.parse(readFileSync(lastRun, "utf8"));
  return new Map(z.array(z.tuple([z.string(), status])).parse(json));
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("a whole number of at least 1");
  }
  return value;
}
