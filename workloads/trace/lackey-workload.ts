/**
 * A recorded program as a workload like any other: a file that ships with the repository, decoded once.
 *
 * Memory: 8 bytes an access stay as long as the process runs (16 MB for two million), so that a sweep does
 * not decode a fixture for every point. They lie in shared memory: once a process, however many threads it
 * has. A trace of any length streams through `replayLackey` instead.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";
import { zstdDecompressSync } from "node:zlib";
import { footprintFrames } from "../../guest/footprint.ts";
import type { KernelSwitches, PageSize } from "../options.ts";
import { switches } from "../options.ts";
import type { Workload } from "../workload.ts";
import { decodeLackey, lackeyLabel, type LackeyTrace, playChunk } from "./lackey-replay.ts";

type LackeyParams = KernelSwitches & {
  /** Measured accesses to replay; more than the recording has means all of it. */
  readonly accesses: number;
  /** Page size that anonymous mappings ask for. */
  readonly pageSize: PageSize;
};

export interface Recording {
  readonly title: string;
  readonly summary: string;
  /** A .zst file beside this module. */
  readonly path: string;
  /** Measured accesses: records, and one more for each page crossed and each load-and-store. */
  readonly accesses: number;
}

export interface RecordedWorkload extends Workload<LackeyParams> {
  /** Stands beside every result. */
  readonly label: string;
  /** The trace, for whoever hashes a run's inputs. */
  readonly file: string;
  /** The decoded trace; decoded at the first call, unless the thread that started this one shares its own. */
  trace(): LackeyTrace;
  /** Threads started from now on play this thread's decoded trace. */
  share(): void;
}

/** 2 MiB pages for what a first touch maps: its unit may hold one page of the program only. */
const framesPerTouch: Record<PageSize, number> = { "4k": 2, "2m": 64 };

export function recordedWorkload({ title, summary, path, accesses }: Recording): RecordedWorkload {
  const file = fileURLToPath(new URL(path, import.meta.url));
  let decoded: LackeyTrace | null = null;
  const decode = () => decodeLackey(zstdDecompressSync(readFileSync(file)), path);
  const shared = () => getEnvironmentData(path) as LackeyTrace | undefined;
  const trace = () => (decoded ??= shared() ?? decode());
  return {
    title,
    summary,
    file,
    trace,
    share: () => setEnvironmentData(path, trace()),
    // Every recording that ships was made with system calls; a test holds it to that.
    label: lackeyLabel(1),
    defaults: { accesses, pageSize: "4k", kpti: 0, pcid: 1, usedMemory: 1 },
    computeCycles: { perOp: 1, source: "assumed: one cycle an instruction when nothing misses" },
    // A page of a file that the program writes has two frames: the file's and the program's.
    guestFrames: ({ pageSize }) =>
      footprintFrames({ pages: trace().pages * framesPerTouch[pageSize], processes: 1 }),
    guestOptions: switches,

    run(guest, { accesses: accessesMax, pageSize }) {
      const { chunks, hasSetUp, setUpChunks, accesses: recorded } = trace();
      if (!hasSetUp) guest.measure();
      for (const chunk of chunks.slice(0, setUpChunks)) {
        playChunk(guest, chunk, { pageSize, accessesMax: Infinity });
      }
      // What a whole recording ends with, such as its exit call, is played too.
      let left = accessesMax < recorded ? accessesMax : Infinity;
      for (const chunk of chunks.slice(setUpChunks)) {
        if (left <= 0) break;
        left -= playChunk(guest, chunk, { pageSize, accessesMax: left });
      }
    },
  };
}
