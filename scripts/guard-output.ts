/**
 * What becomes of a command whose output nobody takes: one rule for every program of the project.
 */

/** A reader that has seen enough, such as `head`, is no error; a full device is one. */
export function guardOutput(program: string): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`${program}: standard output: cannot be written: ${error.message}\n`);
    process.exit(1);
  });
  // Progress that cannot be shown must not end a run of hours.
  process.stderr.on("error", () => undefined);
}
