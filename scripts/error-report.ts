/**
 * What a person reads when a command fails: one line without a stack trace, unless the bug is ours.
 */
import { CommanderError } from "@commander-js/extra-typings";
import {
  bare,
  EnvironmentError,
  Interrupted,
  isUserMistake,
  memoryLine,
  oneLine,
} from "../bench/input/config-error.ts";

export interface ErrorReport {
  readonly text: string;
  readonly exitCode: number;
}

export function errorReport(error: unknown): ErrorReport {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CommanderError) {
    // Printed help is its own message: `shadewalk` alone, or `shadewalk help`.
    if (error.code === "commander.help")
      return { text: "shadewalk: no command given, see --help", exitCode: 2 };
    // Commander quotes what it was given, however long.
    const given = message.replace(/(?<=').*(?=')/s, (value) => bare(value));
    return { text: line(given.replace(/^error: /, "")), exitCode: 2 };
  }
  if (isUserMistake(error)) return { text: line(message), exitCode: 2 };
  if (error instanceof Interrupted) return { text: line(message), exitCode: 130 };
  if (error instanceof EnvironmentError) return { text: line(message), exitCode: 1 };
  const memory = memoryLine(error);
  if (memory !== null) return { text: line(memory), exitCode: 1 };
  // An error of the operating system, such as a full disk, says itself what it was doing.
  if (error instanceof Error && "syscall" in error) return { text: line(message), exitCode: 1 };
  const stack = error instanceof Error ? error.stack : undefined;
  return { text: `shadewalk: ${stack ?? message}`, exitCode: 1 };
}

function line(message: string): string {
  return `shadewalk: ${oneLine(message)}`;
}
