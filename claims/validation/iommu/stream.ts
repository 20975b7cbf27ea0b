/**
 * Streams of map and unmap operations with what real Linux and QEMU counted: `*.jsonl.gz`, one phase per line.
 *
 *     {"w": workload, "p": phase, "ops": [["map", IO page, pages, 1 if 2 MiB leaves] | ["unmap", IO page, pages], ...],
 *      "expect": {mode: {counter: value}}}
 *
 * A phase without `expect` is set-up. A counter that is not named is 0.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import * as z from "zod";
import { ConfigError, errorLine } from "../../../bench/input/config-error.ts";
import { type StreamMode, streamModes } from "./worlds.ts";

const page = z
  .int()
  .min(0)
  .max(2 ** 27 - 1);
const pages = z
  .int()
  .min(1)
  .max(2 ** 27);
const line = z.object({
  w: z.string(),
  p: z.string(),
  ops: z.array(
    z.union([
      z.tuple([z.literal("map"), page, pages, z.union([z.literal(0), z.literal(1)])]),
      z.tuple([z.literal("unmap"), page, pages]),
    ]),
  ),
  expect: z.record(z.string(), z.record(z.string(), z.int())).optional(),
});

export type StreamPhase = z.infer<typeof line>;
export type StreamOp = StreamPhase["ops"][number];

/** The phases of a stream, in order. */
export function readStream(file: string): StreamPhase[] {
  let text: string;
  try {
    text = gunzipSync(readFileSync(file)).toString("utf8");
  } catch (error) {
    throw new ConfigError(`${file}: ${errorLine(error)}`);
  }
  const phases: StreamPhase[] = [];
  for (const [i, words] of text.split("\n").entries()) {
    if (words.trim() === "") continue;
    phases.push(readLine(words, `${file}, line ${i + 1}`));
  }
  return phases;
}

function readLine(words: string, place: string): StreamPhase {
  let value: unknown;
  try {
    value = JSON.parse(words);
  } catch (error) {
    throw new ConfigError(`${place}: ${errorLine(error)}`);
  }
  const read = line.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new ConfigError(
    `${place}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "malformed"}`,
  );
}

/** Modes that some phase of the stream has numbers of, in the order of their first. */
export function modesOf(phases: readonly StreamPhase[]): string[] {
  return [...new Set(phases.flatMap(({ expect }) => Object.keys(expect ?? {})))];
}

/** Is there a machine for the mode? */
export function isModelled(mode: string): mode is StreamMode {
  return streamModes.some((one) => one === mode);
}
