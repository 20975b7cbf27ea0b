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
import { ConfigError } from "../../bench/input/config-error.ts";
import { errorReport } from "../error-report.ts";
import { chooseMutants, findAgain } from "./choose.ts";
import { isEquivalent, readKnown } from "./known.ts";
import { isStrykerThere, runStryker } from "./run-stryker.ts";
import type { Mutant } from "./mutants.ts";
import { isAlive, mutantLine, type Outcome, scoreLines, scoreRooms } from "./score.ts";

const lastRun = "node_modules/.cache/mutation/last.json";

const kept = z.array(
  z.object({
    id: z.string(),
    file: z.string(),
    status: z.enum(["killed", "survived", "uncovered", "static"]),
  }),
);

const program = new Command("mutation")
  .description("Plant small faults, one at a time, and list those that no test notices.")
  .option("--count <n>", "how many mutants, spread over all files", whole, 300)
  .option("--seed <word>", "which ones", "1")
  .option("--file <glob...>", "all mutants of these files instead")
  .option("--since <commit>", "all mutants on lines that changed since then instead")
  .option("--survivors", "those that survived the last run, again", false)
  .option("--list", "print the chosen mutants and run nothing", false)
  .exitOverride()
  .configureOutput({ outputError: () => undefined });

try {
  const { count, seed, file = [], since, survivors, list } = program.parse().opts();
  if (file.length > 0 && since !== undefined) {
    throw new ConfigError("--file and --since: one of them");
  }
  if (survivors && (file.length > 0 || since !== undefined)) {
    throw new ConfigError("--survivors: those of the last run, whatever that was about");
  }
  const before = survivors ? readLast() : [];
  const mutants = survivors
    ? await findAgain(new Set(before.filter(isAlive).map(({ id }) => id)))
    : await chooseMutants({ count, seed, files: file, since });
  if (list) for (const mutant of mutants) console.log(mutantLine(mutant));
  else await run(mutants, before);
} catch (error) {
  const { text, exitCode } = errorReport(error);
  if (text !== "") console.error(text);
  process.exitCode = exitCode;
}

/** `before`: outcomes that stand, those of mutants that are run again or gone left out. */
async function run(mutants: readonly Mutant[], before: readonly Outcome[]): Promise<void> {
  if (!isStrykerThere()) {
    throw new ConfigError(
      "Stryker is not there: start this with npm run mutation, which fetches it",
    );
  }
  const known = readKnown();
  const outcomes: Outcome[] = before.filter((outcome) => !isAlive(outcome));
  const waiting = new Map(mutants.map(({ id, file }) => [id, { id, file }]));
  await runStryker(mutants, (fates) => {
    for (const { mutant, status } of fates) {
      const { id, file } = mutant;
      outcomes.push({ id, file, status });
      waiting.delete(id);
      const reason = known.get(id)?.reason ?? "not explained yet";
      if (isAlive({ status })) console.log(`${status} ${id} ${mutantLine(mutant)} (${reason})`);
    }
    // A run that is stopped here goes on with `--survivors`: what has not run yet has survived so far.
    const left = [...waiting.values()].map((one) => ({ ...one, status: "uncovered" }) as const);
    writeLast([...outcomes, ...left]);
  });
  const scores = scoreRooms(outcomes, (id) => isEquivalent(known, id));
  for (const line of scoreLines(scores)) console.log(line);
  process.exitCode = scores.every(({ percent, goalPercent }) => percent >= goalPercent) ? 0 : 1;
}

function writeLast(outcomes: readonly Outcome[]): void {
  mkdirSync(dirname(lastRun), { recursive: true });
  writeFileSync(lastRun, JSON.stringify(outcomes));
}

function readLast(): Outcome[] {
  if (!existsSync(lastRun)) throw new ConfigError("--survivors: no run before this one");
  return kept.parse(JSON.parse(readFileSync(lastRun, "utf8")));
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("a whole number of at least 1");
  }
  return value;
}
