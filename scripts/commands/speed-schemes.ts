/** `shadewalk speed schemes`: host time of a walk's reference under each scheme. */
import { Command } from "@commander-js/extra-typings";
import {
  expectedNanoseconds,
  measureSchemes,
  referenceRatioMax,
  timedSchemes,
} from "../../bench/speed/schemes.ts";
import { wholeNumber } from "./options.ts";
import { speedTable } from "./speed-table.ts";

export const schemes = () =>
  new Command("schemes")
    .description(
      "Time a walk's reference under each scheme beside the plain two-dimensional walk's.",
    )
    .option("--rounds <n>", "rounds of each, the fastest counts", wholeNumber("--rounds", 1, 999))
    .action(({ rounds = 15 }) => {
      const rows = measureSchemes(timedSchemes, rounds);
      const plain = rows[1]?.nanosecondsPerReference ?? NaN;
      console.log(
        speedTable({
          scheme: rows.map(({ scheme }) => scheme),
          "references a walk": rows.map(({ referencesPerWalk }) => referencesPerWalk.toFixed(2)),
          "ns/walk": rows.map(({ nanosecondsPerWalk }) => nanosecondsPerWalk.toFixed(0)),
          "ns/reference": rows.map((row) => row.nanosecondsPerReference.toFixed(2)),
          "over ept's": rows.map((row) => (row.nanosecondsPerReference / plain).toFixed(2)),
          "over as many of native's and ept's": rows.map((row) =>
            (row.nanosecondsPerWalk / expectedNanoseconds(rows, row.referencesPerWalk)).toFixed(2),
          ),
          "at most": rows.map(() => referenceRatioMax.toFixed(2)),
        }),
      );
    });
