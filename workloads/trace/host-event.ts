/**
 * `h` lines of a trace: what the host does between two ops.
 */
import type { Gfn } from "../../machine/address.ts";
import type { TraceHeader, TraceHostEvent } from "./ops.ts";
import type { Tokens } from "./tokens.ts";

type Field = "GPA" | "bytes" | "to" | "entry" | "value";

/** An instruction needs its tables and pages together; with less memory it takes them from itself for ever. */
const limitFramesMin = 64;

/** The words after each event's name. */
const fieldsOf = {
  "dirty-log-on": ["GPA", "bytes"],
  "dirty-log-get": [],
  "dirty-log-off": [],
  reclaim: ["GPA", "bytes"],
} as const satisfies Partial<Record<TraceHostEvent["kind"], readonly Field[]>>;

/** The same for events that version 3 adds. */
const newFieldsOf = {
  ...fieldsOf,
  "dirty-log-clear": ["GPA", "bytes"],
  evict: ["GPA", "bytes"],
  snapshot: ["GPA", "bytes"],
  "snapshot-drop": [],
  merge: [],
  "memory-limit": ["bytes"],
  write: ["entry", "value"],
  "slot-delete": ["GPA", "bytes"],
  "slot-create": ["GPA", "bytes"],
  "slot-move": ["GPA", "bytes", "to"],
} as const satisfies Record<TraceHostEvent["kind"], readonly Field[]>;

/** Reads the line that `tokens` holds; word 0 is `h`. */
export function readHostEvent(
  tokens: Tokens,
  { memoryFrames, version }: TraceHeader,
): TraceHostEvent {
  const known: Readonly<Record<string, readonly Field[]>> = version >= 3 ? newFieldsOf : fieldsOf;
  const kind = tokens.word(1);
  // One memslot of several: an addition to version 3, whose readers took the line without a range only.
  const isOneSlot = kind === "dirty-log-off" && version >= 3 && tokens.count > 2;
  const fields = isOneSlot ? known["dirty-log-on"] : known[kind];
  if (fields === undefined) {
    return tokens.fail("host event", kind, Object.keys(known).join(", "));
  }
  tokens.exactly(2 + fields.length);
  if (kind === "write") return readWrite(tokens, memoryFrames);
  if (kind === "slot-move") return readMove(tokens, memoryFrames);
  if (isOneSlot) {
    const [start, frames] = readRange(tokens, memoryFrames * 4096);
    return { kind: "dirty-log-off", only: { start, frames } };
  }
  const event: { kind: string; start?: Gfn; frames?: number } = { kind };
  let room = memoryFrames * 4096;
  const least = kind === "memory-limit" ? Math.min(limitFramesMin * 4096, room) : 0;
  for (const [i, field] of fields.entries()) {
    const value = tokens.small(2 + i, field, [least, room]);
    if (value % 4096 !== 0) tokens.fail(field, tokens.word(2 + i), "a multiple of 1000");
    if (field === "bytes") event.frames = value / 4096;
    else {
      event.start = (value / 4096) as Gfn;
      room -= value;
    }
  }
  // It has the fields that the table lists for its kind, which TypeScript cannot follow.
  return event as TraceHostEvent;
}

function readMove(tokens: Tokens, memoryFrames: number): TraceHostEvent {
  const [start, frames] = readRange(tokens, memoryFrames * 4096);
  const to = pagesOf(tokens, 4, "to", (memoryFrames - frames) * 4096);
  if (to < start + frames && start < to + frames) {
    tokens.fail("to", tokens.word(4), "a range that does not overlap the slot");
  }
  return { kind: "slot-move", start, frames, to: to as Gfn };
}

/** Words 2 and 3, a GPA and bytes behind it. */
function readRange(tokens: Tokens, room: number): readonly [start: Gfn, frames: number] {
  const gpa = pagesOf(tokens, 2, "GPA", room);
  return [gpa as Gfn, pagesOf(tokens, 3, "bytes", room - gpa * 4096)];
}

function pagesOf(tokens: Tokens, word: number, field: Field, max: number): number {
  const value = tokens.small(word, field, [0, max]);
  if (value % 4096 !== 0) tokens.fail(field, tokens.word(word), "a multiple of 1000");
  return value / 4096;
}

function readWrite(tokens: Tokens, memoryFrames: number): TraceHostEvent {
  const gpa = tokens.small(2, "GPA", [0, memoryFrames * 4096 - 1]);
  if (gpa % 8 !== 0) tokens.fail("GPA", tokens.word(2), "a multiple of 8");
  tokens.hex(3, "value");
  const { low, high } = tokens;
  return { kind: "write", gfn: Math.floor(gpa / 4096) as Gfn, index: (gpa % 4096) / 8, low, high };
}
