/** `shadewalk convert`: other tools' traces as a vmmu-trace. */
import { createWriteStream } from "node:fs";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Command } from "@commander-js/extra-typings";
import { vmmuText } from "../../bench/points/convert-trace.ts";
import { writingInto } from "../../bench/files/make-folder.ts";
import { ConfigError } from "../../bench/input/config-error.ts";

export const convert = () =>
  new Command("convert")
    .description("Write another tool's trace as a vmmu-trace with page tables of its own.")
    .argument("<file>", "a trace of Pin, DynamoRIO, gem5, QEMU, perf, Dinero, or R and W lines")
    .option("-o, --out <file>", "where to write (default: standard output)")
    .addHelpText(
      "after",
      `
\`run --trace\` reads the same files as they are, and then maps pages at their first touch. A vmmu-trace has all pages
mapped from the start. What tools see is user-only: no kernel, no page-table change. Plain, .gz, .zst or .xz; the
content decides what it is. Formats: workloads/trace/FORMAT.md

Example:
  npx shadewalk convert pinatrace.out -o program.trace`,
    )
    .action(async (file, { out }) => {
      if (file === "-") throw new ConfigError("-: a trace is read twice: give a file");
      const text = Readable.from(vmmuText(file));
      if (out === undefined) return pipeline(text, process.stdout, { end: false });
      await writingInto(dirname(out), "nothing else was written", () =>
        pipeline(text, createWriteStream(out)),
      );
    });
