/** `shadewalk speed`: host time per simulated access, and equality with a C program of the same model. */
import { writeFileSync } from "node:fs";
import { Command } from "@commander-js/extra-typings";
import { EnvironmentError } from "../../bench/input/config-error.ts";
import { measureSpeed, type SpeedReport } from "../../bench/speed/report.ts";
import { argumentsOf } from "../../bench/speed/yardstick.ts";
import { wholeNumber } from "./options.ts";
import { devices, memory, replays, steadiness, traces } from "./speed-beside.ts";
import { schemes } from "./speed-schemes.ts";
import { speedTable as table } from "./speed-table.ts";

export const speed = () =>
  new Command("speed")
    .description("Time the simulator itself, and check its counters against those of a C program.")
    .option("--yardstick <folder>", "build and run the C program there too, interleaved")
    .option("--pairs <n>", "runs of each stream, the median counts", wholeNumber("--pairs", 1, 99))
    .option("--json <file>", "write times and counters to this file")
    .option("-q, --quiet", "no progress on stderr", false)
    .addHelpText(
      "after",
      `
Host times depend on the machine: compare ratios. "over C" is the median of the pairs; where neighbours make that
jump, the fastest run over C's fastest says more. Storms run in processes of their own, and the fastest run counts.
The counters of the ten streams must equal those that the C program printed (bench/speed/expected.json); a difference
is an error, exit code 1.

Examples:
  npm run speed
  npm run speed -- memory
  npm run speed -- devices
  npm run speed -- replays
  npm run speed -- schemes
  npm run speed -- --yardstick ../yardstick --pairs 5`,
    )
    .action(async ({ yardstick, pairs, json, quiet }) => {
      const report = await measureSpeed({
        yardstick: yardstick ?? null,
        pairs: pairs ?? (yardstick === undefined ? 1 : 5),
        onStep: (step) => void (quiet || process.stderr.write(`speed: ${step}\n`)),
      });
      console.log(`${streamTable(report)}\n\n${stormTable(report)}`);
      if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`);
      const wrong = report.streams.filter(({ unequal }) => unequal.length > 0);
      if (wrong.length > 0) {
        throw new EnvironmentError(
          `speed: ${wrong.length} streams count otherwise than the C program`,
        );
      }
    })
    .addCommand(memory())
    .addCommand(steadiness())
    .addCommand(traces())
    .addCommand(replays())
    .addCommand(devices())
    .addCommand(schemes());

function streamTable({ streams }: SpeedReport): string {
  return table({
    regime: streams.map(({ stream }) => stream.regime),
    stream: streams.map(({ stream }) => argumentsOf(stream).join(" ")),
    "ns/access": streams.map((row) => row.nanosecondsPerAccess.toFixed(2)),
    "M accesses/s": streams.map((row) => (1000 / row.nanosecondsPerAccess).toFixed(1)),
    counters: streams.map(({ unequal }) => {
      return unequal.length === 0 ? "equal" : `differ: ${unequal.join(" ")}`;
    }),
    "over C": streams.map(({ ratio }) => ratio?.toFixed(2) ?? "-"),
    "fastest over C's": streams.map(({ ratioOfFastest }) => ratioOfFastest?.toFixed(2) ?? "-"),
    "at most": streams.map(({ stream, ratio }) =>
      ratio === null ? "-" : stream.ratioMax.toFixed(2),
    ),
  });
}

type StormRow = SpeedReport["storms"][number];

function stormTable({ storms }: SpeedReport): string {
  return table({
    storm: storms.map(({ storm }) => storm.title),
    engine: storms.map(({ storm }) => storm.engine),
    events: storms.map(({ events }) => String(events)),
    "exits/event": storms.map(({ exits, events }) => (exits / events).toFixed(2)),
    "ns/event": storms.map((row) => row.nanosecondsPerEvent.toPrecision(3)),
    "k events/s": storms.map((row) => (1e6 / row.nanosecondsPerEvent).toFixed(0)),
    "over native": storms.map((row) => overNative(row, storms)),
  });
}

/** Time over that of the same thing on bare metal, where there is a row of it. */
function overNative(row: StormRow, storms: readonly StormRow[]): string {
  const native = storms.find(
    ({ storm }) => storm.engine === "native" && storm.title === row.storm.title,
  );
  return native === undefined
    ? "-"
    : (row.nanosecondsPerEvent / native.nanosecondsPerEvent).toFixed(2);
}
