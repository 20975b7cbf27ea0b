/**
 * A finished point as a line of a file that will be read back: a journal, a shard.
 *
 * The line carries a checksum of its text and of the sweep it belongs to, and on reading its key must be the
 * sweep's key of that id. So a line that an editor, a disk or another sweep has touched is found, not believed:
 * a table made of it would look like any other.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { counterNames, type PointKey } from "../results/result.ts";
import type { Finished } from "./pool.ts";

/** What a checksum must know beside the line: the same points under other machines give other results. */
export interface LineOwner {
  /** The sweep as a hash. */
  readonly sweep: string;
  /** The points that may stand in the file. */
  readonly points: readonly PointKey[];
}

const sealed = /^\{"checksum":"([0-9a-f]{32})","point":(.*)\}$/;

/** The line, with its newline. */
export function finishedLine(finished: Finished, sweep: string): string {
  const text = JSON.stringify(finished);
  return `{"checksum":"${checksumOf(text, sweep)}","point":${text}}\n`;
}

/** Reads lines of one file: each call gives the point, or what is wrong with the line in a few words. */
export function lineReader({ sweep, points }: LineOwner) {
  const keys = new Map(points.map((key) => [key.id, JSON.stringify(key)]));
  const lineOf = new Map<number, number>();
  return (text: string, line: number): Finished | string => {
    const [, checksum, point] = sealed.exec(text) ?? [];
    if (checksum === undefined || point === undefined) return "is no finished point";
    if (checksum !== checksumOf(point, sweep)) return "was changed: its checksum does not match";
    const parsed = finishedSchema.safeParse(jsonOf(point));
    if (!parsed.success) return "is no finished point";
    // The schema checks; the value read is kept, whose key has its fields in the order of writing.
    const finished = jsonOf(point) as Finished;
    const { key } = finished.result;
    if (keys.get(key.id) !== JSON.stringify(key)) {
      return `holds point ${key.id}, which does not belong there`;
    }
    const earlier = lineOf.get(key.id);
    if (earlier !== undefined) return `holds point ${key.id} again, after line ${earlier}`;
    lineOf.set(key.id, line);
    return finished;
  };
}

function checksumOf(text: string, sweep: string): string {
  return createHash("sha256").update(`${sweep}\n${text}`).digest("hex").slice(0, 32);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const count = z.int().min(0);
const region = z.strictObject({
  ledger: z.strictObject(Object.fromEntries(counterNames.map((name) => [name, count]))),
  walkLengths: z.array(count),
});
/** Somebody who knows how the checksum is made may still write nonsense: it must not end in a stack trace. */
const finishedSchema = z.strictObject({
  result: z.strictObject({
    key: z.looseObject({ id: count }),
    regions: z.strictObject({ setup: region, measured: region }),
    checksum: count,
    computeCyclesPerOp: z.number().min(0),
    label: z.string(),
  }),
  checked: count,
  host: z.strictObject({
    hostMilliseconds: z.number(),
    processorMilliseconds: z.number(),
  }),
});
