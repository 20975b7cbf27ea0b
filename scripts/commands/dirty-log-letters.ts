/**
 * Letters of Linux's dirty_log_perf_test that say something about the real machine only: taken, so that one command line
 * serves both, each with a note.
 *
 * Source: Linux 6.12 tools/testing/selftests/kvm/dirty_log_perf_test.c; -j and -l from later patches for it.
 */
import { type Command, Option } from "@commander-js/extra-typings";
import { quote } from "../../bench/input/config-error.ts";

const letters: Readonly<Record<string, { readonly flags: string; readonly reason: string }>> = {
  mode: { flags: "-m, --mode <id>", reason: "the guest has one mode, 48 bits and pages of 4 KiB" },
  pin: { flags: "-c, --pin <cpus>", reason: "vCPUs run in lock step, on no CPU of the host" },
  nested: { flags: "-n, --nested", reason: "the guest runs as L1; nested guests are not modelled" },
  offset: { flags: "-p, --offset <gpa>", reason: "memory under test lies where its tables end" },
  independent: { flags: "-j, --independent", reason: "vCPUs stop while the log is read" },
  wait: { flags: "-l, --wait <ms>", reason: "no time passes between two clears" },
};

/** Adds them to the command, unseen: the help text lists them in a sentence. */
export function addForeignLetters(command: Command<[], Record<string, unknown>>): void {
  for (const { flags } of Object.values(letters)) command.addOption(new Option(flags).hideHelp());
}

/** A line for each that was given. */
export function foreignLetterNotes(given: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(letters).flatMap(([name, { flags, reason }]) => {
    const value = given[name];
    if (value === undefined) return [];
    const word = value === true ? "" : ` ${quote(value)}`;
    return [`${flags.slice(0, 2)}${word} has no meaning here: ${reason}`];
  });
}
