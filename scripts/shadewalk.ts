#!/usr/bin/env node
/**
 * The command line: the one place where a failure becomes a line on stderr and an exit code.
 *
 * Exit codes: 0 done, 1 the environment refused or a run failed, 2 wrong usage or input, 130 interrupted.
 */
import { guardOutput } from "./guard-output.ts";
import { execute } from "./program.ts";

guardOutput("shadewalk");
const failure = await execute(process.argv.slice(2));
if (failure !== null) {
  console.error(failure.text);
  process.exit(failure.exitCode);
}
