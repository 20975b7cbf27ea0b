/**
 * The command line as a function: words in, commands run, and what to say when one fails.
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { commands } from "./commands/index.ts";
import { type ErrorReport, errorReport } from "./error-report.ts";
import { packageVersion } from "./version.ts";

function createProgram(): Command {
  const program = new Command("shadewalk")
    .description(
      "Shadow paging against nested paging (EPT, NPT) on a deterministic simulated machine.",
    )
    .addHelpText(
      "after",
      `
Examples:
  npx shadewalk bench                                   the default sweep, under two minutes
  npx shadewalk run -e shadow,ept -w forkwait           one program under both, and on bare metal
  npx shadewalk walk 0x400000 -e ept                    every reference of one page walk
  npx shadewalk list                                    all names that the options take

Exit codes: 0 done, 1 the environment refused or a run failed, 2 wrong usage or input, 130 interrupted.`,
    )
    .version(packageVersion(), "-V, --version", "print the version")
    .exitOverride()
    // Commander's own complaints go through the one place below, like all others.
    .configureOutput({ outputError: () => undefined });
  for (const { group, create } of commands) {
    const command = create();
    command.helpGroup(group);
    command.copyInheritedSettings(program);
    program.addCommand(command);
  }
  return program;
}

/** Runs the command that `words` name; the report of its failure, or null. */
export async function execute(words: readonly string[]): Promise<ErrorReport | null> {
  const program = createProgram();
  try {
    await program.parseAsync(words, { from: "user" });
    return null;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help that was asked for ends a command like an error.
      if (error.exitCode === 0) return null;
      const names = program.commands.map((one) => one.name()).join(", ");
      if (error.code === "commander.unknownCommand") error.message += `. Allowed: ${names}`;
    }
    return errorReport(error);
  }
}
