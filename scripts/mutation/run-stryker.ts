/** Starts Stryker on chosen mutants and reads what became of them. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { z } from "zod";
import { EnvironmentError } from "../../bench/input/config-error.ts";
import type { Mutant } from "./mutants.ts";
import { rooms } from "./rooms.ts";
import { roomOf, type Status } from "./score.ts";
import { placeWord } from "./stryker-plugin.ts";

const program = join(import.meta.dirname, "node_modules/@stryker-mutator/core/bin/stryker.js");

const place = z.object({ line: z.number(), column: z.number() });
const report = z.object({
  files: z.record(
    z.string(),
    z.object({
      mutants: z.array(
        z.object({
          mutatorName: z.string(),
          replacement: z.string().optional(),
          location: z.object({ start: place, end: place }),
          status: z.string(),
        }),
      ),
    }),
  ),
});

const statuses: Readonly<Record<string, Status>> = {
  Killed: "killed",
  // A loop that never ends is noticed by everybody.
  Timeout: "killed",
  // A test file that does not load any more.
  RuntimeError: "killed",
  Survived: "survived",
  NoCoverage: "uncovered",
  Ignored: "static",
};

export function isStrykerThere(): boolean {
  return existsSync(program);
}

/** A mutant and what became of it. */
export interface Fate {
  readonly mutant: Mutant;
  readonly status: Status;
}

/** Room by room, for each has its own tests; what is known of a room is told before the next one begins. */
export async function runStryker(
  mutants: readonly Mutant[],
  onRoom: (fates: readonly Fate[]) => void,
): Promise<void> {
  for (const room of rooms) {
    const own = mutants.filter(({ file }) => roomOf(file) === room);
    if (own.length > 0) onRoom(await runWith(own, room.tests));
  }
}

async function runWith(mutants: readonly Mutant[], tests: readonly string[]): Promise<Fate[]> {
  const folder = mkdtempSync(join(tmpdir(), "shadewalk-mutation-"));
  try {
    const reportFile = join(folder, "report.json");
    const chosenFile = join(folder, "chosen.json");
    writeFileSync(chosenFile, JSON.stringify(mutants.map(wordOf)));
    const configFile = join(folder, "stryker.json");
    writeFileSync(
      configFile,
      JSON.stringify({
        ...configuration(mutants, { folder, reportFile, chosenFile }),
        testFiles: tests,
      }),
    );
    const child = spawn(process.execPath, [program, "run", configFile], { stdio: "inherit" });
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    if (!existsSync(reportFile)) {
      throw new EnvironmentError(
        `Stryker ended with ${status} and without a report: see its lines above`,
      );
    }
    return fatesOf(mutants, JSON.parse(readFileSync(reportFile, "utf8")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Places {
  readonly folder: string;
  readonly reportFile: string;
  readonly chosenFile: string;
}

function configuration(mutants: readonly Mutant[], { folder, reportFile, chosenFile }: Places) {
  return {
    mutate: mutants.map(
      ({ file, at: { start, end } }) =>
        `${file}:${start.line}:${start.column}-${end.line}:${end.column}`,
    ),
    plugins: [
      join(import.meta.dirname, "node_modules/@stryker-mutator/vitest-runner/dist/src/index.js"),
      join(import.meta.dirname, "./stryker-plugin.ts"),
    ],
    ignorers: ["messages"],
    checkers: ["chosen"],
    chosenFile,
    testRunner: "vitest",
    vitest: {
      configFile: relative(process.cwd(), join(import.meta.dirname, "./vitest.config.ts")),
      related: false,
      pool: "forks",
    },
    coverageAnalysis: "perTest",
    ignoreStatic: true,
    disableBail: false,
    disableTypeChecks: false,
    // None: Stryker rewrites the paths in it by an interface that TypeScript 7 has not.
    tsconfigFile: "none",
    concurrency: 2,
    // Two cores that do other work too: a slow test is not yet a loop without end.
    timeoutMS: 60_000,
    timeoutFactor: 4,
    dryRunTimeoutMinutes: 120,
    // Outside the repository, whose own checks read every file in it.
    tempDirName: join(folder, "sandboxes"),
    cleanTempDir: "always",
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName: reportFile },
    ignorePatterns: ["scripts/mutation/node_modules", "results/latest", "docs", "dist"],
    warnings: false,
    allowConsoleColors: false,
  };
}

function wordOf({ file, mutator, replacement, at: { start, end } }: Mutant): string {
  // Stryker counts lines from 0 until it reports.
  return placeWord(file, mutator, replacement, {
    start: { ...start, line: start.line - 1 },
    end: { ...end, line: end.line - 1 },
  });
}

function fatesOf(mutants: readonly Mutant[], json: unknown): Fate[] {
  const found = new Map<string, Status>();
  for (const [file, { mutants: reported }] of Object.entries(report.parse(json).files)) {
    for (const {
      mutatorName,
      replacement = "",
      location: { start, end },
      status,
    } of reported) {
      const known = statuses[status];
      if (known === undefined) continue;
      // The report counts columns from 1, and lines too.
      const word = placeWord(file, mutatorName, replacement, {
        start: { line: start.line - 1, column: start.column - 1 },
        end: { line: end.line - 1, column: end.column - 1 },
      });
      found.set(word, known);
    }
  }
  return mutants.map((mutant) => {
    const status = found.get(wordOf(mutant));
    if (status === undefined)
      throw new Error(`Stryker left out ${mutant.file}:${mutant.at.start.line}`);
    return { mutant, status };
  });
}
