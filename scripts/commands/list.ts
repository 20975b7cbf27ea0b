/** `shadewalk list`: every name that the other commands take. */
import { Command } from "@commander-js/extra-typings";
import { catalogue } from "../../bench/catalogue.ts";
import { sweepNames } from "../../bench/sweep-files.ts";

export const list = () =>
  new Command("list")
    .description("Print all engines, workloads with their parameters, presets and sweeps.")
    .action(() => {
      console.log(catalogue.engines.join("\n"), sweepNames());
    });
