/**
 * Replays a lackey trace through the guest's system calls and accesses.
 *
 * Model: the log has no context switch, no fork, no interrupt and nothing that its kernel did, so page
 * tables change less often than they did in the recorded run. Bias: for shadow.
 */
import type { Guest, MapOptions } from "../../guest/guest.ts";
import type { PageSize } from "../options.ts";
import { type AccessChunk, eventBit, fetchBit, type LackeyEvent } from "./lackey-events.ts";
import { LackeyParser } from "./lackey.ts";
import { pageOf } from "./lackey-plan.ts";
import { TraceError } from "./trace-error.ts";

/** What has to stand beside every result of such a trace. */
export const userOnlyLabel = "user-only: its update rate is a lower bound";

/** A log that shows system calls says so: what they changed was replayed. */
export function lackeyLabel(systemCalls: number): string {
  return systemCalls === 0
    ? userOnlyLabel
    : `${userOnlyLabel} (mmap, munmap, mprotect, brk replayed)`;
}

export interface LackeySource {
  readonly file: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface LackeyReplay {
  readonly guest: Guest;
  readonly source: LackeySource;
  /** Page size that anonymous mappings ask for. */
  readonly pageSize: PageSize;
}

export interface LackeyTotals {
  readonly accesses: number;
  readonly systemCalls: number;
  readonly label: string;
}

/** Streams a trace through the guest; memory does not grow with its length. */
export async function replayLackey(replay: LackeyReplay): Promise<LackeyTotals> {
  const { guest, source, pageSize } = replay;
  const parser = new LackeyParser(source.file);
  let started = false;
  const play = () => {
    for (const chunk of parser.take()) {
      if (!started && !parser.hasSetUp) guest.measure();
      started = true;
      playChunk(guest, chunk, { pageSize, accessesMax: Infinity });
    }
  };
  for await (const piece of source.bytes) {
    parser.push(piece);
    play();
  }
  parser.end();
  play();
  const { accesses, systemCalls } = parser.plan;
  if (accesses === 0) {
    const { file } = source;
    const value = `${parser.lines} lines without an access`;
    const allowed = "what valgrind --tool=lackey --trace-mem=yes writes";
    throw new TraceError({ file, line: 0, field: "trace", value, allowed });
  }
  const label = [lackeyLabel(systemCalls), ...parser.notes].join("; ");
  return { accesses, systemCalls, label };
}

/** A whole trace in memory: 8 bytes an access, so for traces of known, moderate length. */
export interface LackeyTrace {
  readonly chunks: readonly AccessChunk[];
  readonly hasSetUp: boolean;
  /** The first chunks are set-up. */
  readonly setUpChunks: number;
  /** Accesses of the measured region. */
  readonly accesses: number;
  readonly systemCalls: number;
  /** Pages touched: an upper bound of the memory that the program needs at once. */
  readonly pages: number;
}

export function decodeLackey(bytes: Uint8Array, file: string): LackeyTrace {
  const parser = new LackeyParser(file);
  parser.push(bytes);
  parser.end();
  const { accesses, setUpAccesses, setUpChunks, systemCalls, pagesTouched } = parser.plan;
  return {
    chunks: parser.take(),
    hasSetUp: parser.hasSetUp,
    setUpChunks,
    accesses: accesses - setUpAccesses,
    systemCalls,
    pages: pagesTouched,
  };
}

export interface PlayOptions {
  readonly pageSize: PageSize;
  /** Accesses to perform at most. */
  readonly accessesMax: number;
}

/** Performs a chunk; returns the accesses done. A compute op is an instruction: what was fetched. */
export function playChunk(guest: Guest, chunk: AccessChunk, options: PlayOptions): number {
  const { low, high, length, events } = chunk;
  const { pageSize, accessesMax } = options;
  let done = 0;
  let fetches = 0;
  for (let i = 0; i < length && done < accessesMax; i++) {
    const lowHalf = low[i]!;
    const highHalf = high[i]!;
    if ((highHalf & eventBit) !== 0) {
      // What was computed so far belongs in front of whatever the event starts.
      guest.compute(fetches);
      fetches = 0;
      playEvent(guest, events[lowHalf]!, pageSize);
      continue;
    }
    const vpn = pageOf(lowHalf, highHalf);
    const offset = lowHalf & 0xfff;
    if (highHalf < 0) guest.write(vpn, offset);
    else if ((highHalf & fetchBit) === 0) guest.read(vpn, offset);
    else {
      guest.fetch(vpn, offset);
      fetches += 1;
    }
    done += 1;
  }
  guest.compute(fetches);
  return done;
}

function playEvent(guest: Guest, event: LackeyEvent, pageSize: PageSize): void {
  switch (event.kind) {
    case "map":
      guest.mapAt(event.vpn, event.pages, mapOptions(event, pageSize));
      if (event.access === "none") guest.protect(event.vpn, event.pages, "none");
      return;
    case "unmap":
      return guest.unmap(event.vpn, event.pages);
    case "protect":
      return guest.protect(event.vpn, event.pages, event.access);
    case "syscall":
      return guest.syscall();
    case "measure":
      return guest.measure();
  }
}

/**
 * Model: everything is executable, because a later mprotect cannot make it so; translation caches do not
 * care. A store that the log's rights forbid goes to a signal handler, as in programs that protect pages
 * on purpose. Bias: none.
 */
function mapOptions(event: LackeyEvent & { kind: "map" }, pages: PageSize): MapOptions {
  const { file } = event;
  return {
    fill: "demand",
    pages,
    writable: event.access === "read-write",
    executable: true,
    onForbidden: "unprotect",
    ...(file === null ? {} : { file }),
  };
}
