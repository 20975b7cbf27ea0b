/** `shadewalk speed memory`, `steadiness`, `traces`, `replays` and `devices`: what a researcher asks beside nanoseconds. */
import { Command } from "@commander-js/extra-typings";
import { deviceRatioMax, deviceStreams, measureDevices } from "../../bench/speed/devices.ts";
import {
  type Endurance,
  type Extent,
  type Footprint,
  type Growth,
  measureFootprint,
  measureGrowth,
} from "../../bench/speed/memory.ts";
import { measureReplay, replays as replayed } from "../../bench/speed/replays.ts";
import { measureSteadiness, spread, steadyEngines } from "../../bench/speed/steadiness.ts";
import { measureTraceReading } from "../../bench/speed/trace-reading.ts";
import { wholeNumber } from "./options.ts";
import { speedTable } from "./speed-table.ts";

const sayStep = (step: string) => void process.stderr.write(`speed: ${step}\n`);
const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

/** Mapping a page takes the work of some hundred accesses. */
const accessesPerMapping = 100;
const endurances = ["native", "ept", "shadow", "shadow-lazy"].flatMap(
  (engine): Omit<Endurance, "count">[] => [
    { engine, operation: "accesses" },
    { engine, operation: "pages mapped and unmapped" },
  ],
);

/** Guests of 1 GiB, all of it, and one of 64 GiB, a page in each 2 MiB. */
const extents: readonly Extent[] = [
  { engine: "native", guestFrames: 2 ** 18, stride: 1 },
  { engine: "ept", guestFrames: 2 ** 18, stride: 1 },
  { engine: "shadow-lazy", guestFrames: 2 ** 18, stride: 1 },
  { engine: "ept", guestFrames: 2 ** 24, stride: 512 },
];

export const memory = () =>
  new Command("memory")
    .description("Show that memory does not grow with operations, and what a mapped page takes.")
    .option("--ops <n>", "accesses (default: 100000000)", wholeNumber("--ops", 1000, 1e10))
    .action(async ({ ops = 100_000_000 }) => {
      const growths: Growth[] = [];
      for (const { engine, operation } of endurances) {
        const count = operation === "accesses" ? ops : Math.ceil(ops / accessesPerMapping);
        sayStep(`${engine}: ${count} ${operation}`);
        growths.push(measureGrowth({ engine, operation, count }));
      }
      const footprints: Footprint[] = [];
      for (const extent of extents) {
        sayStep(`${extent.engine}: a guest of ${mebibytes(extent.guestFrames * 4096)} MiB`);
        footprints.push(measureFootprint(extent));
      }
      console.log(`${growthTable(growths)}\n\n${footprintTable(footprints)}`);
    });

function growthTable(growths: readonly Growth[]): string {
  const sample = (part: 0 | 1 | 2, what: "heapBytes" | "residentBytes") =>
    growths.map(({ samples }) => mebibytes(samples[part]?.[what] ?? Number.NaN));
  return speedTable({
    engine: growths.map(({ engine }) => engine),
    operation: growths.map(({ operation }) => operation),
    count: growths.map(({ count }) => String(count)),
    "heap MiB at 10 %": sample(0, "heapBytes"),
    "50 %": sample(1, "heapBytes"),
    "100 %": sample(2, "heapBytes"),
    "RSS MiB at 10 %": sample(0, "residentBytes"),
    "half-way": sample(1, "residentBytes"),
    "at the end": sample(2, "residentBytes"),
  });
}

function footprintTable(footprints: readonly Footprint[]): string {
  const perPage = (what: "tableBytes" | "pointerBytes") =>
    footprints.map((row) => (row[what] / row.pages).toFixed(2));
  return speedTable({
    engine: footprints.map(({ engine }) => engine),
    "guest MiB": footprints.map(({ guestFrames }) => mebibytes(guestFrames * 4096)),
    "pages touched": footprints.map(({ pages }) => String(pages)),
    "table bytes/page": perPage("tableBytes"),
    "pointer bytes/page": perPage("pointerBytes"),
    "RSS grew by MiB": footprints.map((row) => mebibytes(row.residentBytes)),
  });
}

export const steadiness = () =>
  new Command("steadiness")
    .description("Repeat the same work in fresh processes, among other engines and on two threads.")
    .option("--processes <n>", "in a row (default: 8)", wholeNumber("--processes", 3, 99))
    .option("--pairs <n>", "of one thread and two (default: 5)", wholeNumber("--pairs", 1, 99))
    .action(async ({ processes = 8, pairs = 5 }) => {
      const { alone, together, twoThreads } = await measureSteadiness({
        processes,
        pairs,
        onStep: sayStep,
      });
      const times = steadyEngines.map((engine) => alone[engine] ?? []);
      console.log(
        speedTable({
          engine: [...steadyEngines],
          "ms, fastest process": times.map((list) => Math.min(...list).toFixed(0)),
          "slowest over median": times.map((list) => spread(list).toFixed(2)),
          "five in one process over alone": steadyEngines.map((engine) =>
            (together[engine] ?? Number.NaN).toFixed(2),
          ),
        }),
      );
      console.log(`\ntwo threads: ${twoThreads.toFixed(2)} times the speed of one`);
    });

export const replays = () =>
  new Command("replays")
    .description("Time how fast recorded Linux guests are replayed.")
    .option("--times <n>", "the fastest counts (default: 5)", wholeNumber("--times", 1, 99))
    .action(({ times = 5 }) => {
      const rows = replayed.map((replay) => {
        sayStep(`${replay.engine}: ${replay.workload}`);
        return measureReplay(replay, times);
      });
      console.log(
        speedTable({
          engine: rows.map(({ engine }) => engine),
          recording: rows.map(({ workload }) => workload),
          ops: rows.map(({ ops }) => String(ops)),
          exits: rows.map(({ exits }) => String(exits)),
          "ns/op": rows.map((row) => row.nanosecondsPerOp.toFixed(1)),
          "M ops/s": rows.map((row) => (1000 / row.nanosecondsPerOp).toFixed(1)),
        }),
      );
    });

export const traces = () =>
  new Command("traces")
    .description("Time how fast a recorded program is read, plain and compressed.")
    .option("--copies <n>", "of 1.8 million records (default: 5)", wholeNumber("--copies", 1, 50))
    .action(async ({ copies = 5 }) => {
      sayStep(`writing and reading ${copies} copies`);
      const readings = await measureTraceReading(copies);
      const perSecond = (records: number, milliseconds: number) =>
        (records / milliseconds / 1000).toFixed(1);
      console.log(
        speedTable({
          compression: readings.map(({ compression }) => compression),
          records: readings.map(({ records }) => String(records)),
          "file MiB": readings.map(({ fileBytes }) => mebibytes(fileBytes)),
          "M records/s": readings.map((row) => perSecond(row.records, row.hostMilliseconds)),
          "by processor time": readings.map((row) =>
            perSecond(row.records, row.processorMilliseconds),
          ),
        }),
      );
      if (readings.length < 4) console.log("\nxz: not measured, there is no xz program to pack it");
    });

export const devices = () =>
  new Command("devices")
    .description("Time a device's accesses beside a processor's that take the same walk.")
    .option("--rounds <n>", "rounds of both, the fastest counts", wholeNumber("--rounds", 1, 999))
    .action(({ rounds = 15 }) => {
      const rows = deviceStreams.map((stream) => {
        sayStep(stream.title);
        return measureDevices(stream, rounds);
      });
      console.log(
        speedTable({
          accesses: rows.map(({ stream }) => stream.title),
          "references each": rows.map(({ device }) => device.referencesPerAccess.toFixed(2)),
          "of the processor's": rows.map(({ processor }) =>
            processor.referencesPerAccess.toFixed(2),
          ),
          "ns/access": rows.map(({ device }) => device.nanosecondsPerAccess.toFixed(1)),
          "of the processor": rows.map(({ processor }) =>
            processor.nanosecondsPerAccess.toFixed(1),
          ),
          "over it": rows.map(({ device, processor }) =>
            (device.nanosecondsPerAccess / processor.nanosecondsPerAccess).toFixed(2),
          ),
          "at most": rows.map(() => deviceRatioMax.toFixed(2)),
        }),
      );
    });
