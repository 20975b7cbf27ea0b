#!/usr/bin/env node
/**
 * The command line: finds the command, and is the one place where an error becomes a line and an exit code.
 *
 * Exit codes: 0 done, 1 the environment refused or a run failed, 2 wrong usage or input, 130 interrupted.
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { commands } from "./commands/index.ts";
import { errorReport } from "./error-report.ts";

const program = new Command("shadewalk")
  .description(
    "Shadow paging against nested paging (EPT, NPT) on a deterministic simulated machine.",
  )
  .addHelpText(
    "after",
    `
Examples:
  npx shadewalk bench                                   the default sweep, about two minutes
  npx shadewalk run --engine shadow --workload uniform  one point, its counters as a table
  npx shadewalk walk 0x400000 --engine ept              every reference of one page walk
  npx shadewalk list                                    all names that the options take

Exit codes: 0 done, 1 the environment refused or a run failed, 2 wrong usage or input, 130 interrupted.`,
  )
  .exitOverride()
  // Commander's own complaints go through the one place below, like all others.
  .configureOutput({ outputError: () => undefined });

for (const create of commands) {
  const command = create();
  command.copyInheritedSettings(program);
  program.addCommand(command);
}

// A reader that has seen enough, such as `head`, closes the pipe: that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exit(0);
  const isUnknown = error instanceof CommanderError && error.code === "commander.unknownCommand";
  if (isUnknown)
    error.message += `. Allowed: ${program.commands.map((one) => one.name()).join(", ")}`;
  const { text, exitCode } = errorReport(error);
  console.error(text);
  process.exit(exitCode);
}
