/** `shadewalk completion`: a script that a shell reads once to complete commands, options and names. */
import { Command } from "@commander-js/extra-typings";
import { catalogue, describeEngines } from "../../bench/points/catalogue.ts";
import { anyLevelPairs } from "../../bench/points/levels.ts";
import { hostPageSizes } from "../../bench/results/result.ts";
import { sweepNames } from "../../bench/sweeps/sweep-files.ts";
import { dmaSchemeNames } from "../../host/dma/catalogue.ts";
import { channelNames } from "../../policies/channels/index.ts";
import { scenarioNames } from "../../host/sharing/share.ts";
import { attackNames } from "../../policies/attack/attacks.ts";
import { schemeNames } from "../../policies/attack/schemes.ts";
import { stackSchemeNames } from "../../policies/stack/stack-schemes.ts";
import { topics } from "../../claims/why/index.ts";
import { completionScript, shells } from "../completion-script.ts";
import { pick } from "../../bench/input/config-error.ts";

export const completion = () =>
  new Command("completion")
    .description("Print a script that lets a shell complete commands, options and names.")
    .argument("<shell>", Object.keys(shells).join(", "))
    .addHelpText(
      "after",
      `
Example, in ~/.bashrc:
  source <(npx shadewalk completion bash)`,
    )
    .action((shell, _options, command) => {
      const write = pick(shells, shell, "shell");
      const commands = (command.parent?.commands ?? []).map((one) => ({
        name: one.name(),
        about: one.description(),
        options: one.options
          .filter(({ hidden }) => !hidden)
          .map(({ short, long, description }) => ({ short, long, about: description })),
      }));
      console.log(write(completionScript(commands, values())));
    });

/** What may stand behind an option, and as the first word of a command. */
function values() {
  const engines = describeEngines().map(([name]) => name);
  const presets = Object.keys(catalogue.presets);
  return {
    options: {
      "--engines": engines,
      "-e": engines,
      "--workload": Object.keys(catalogue.workloads),
      "--workloads": Object.keys(catalogue.workloads),
      "-w": Object.keys(catalogue.workloads),
      "--preset": presets,
      "--backing": [...hostPageSizes],
      "--guest-pages": ["4k", "2m"],
      "--levels": [...anyLevelPairs],
      "--topic": Object.keys(topics),
      "--scheme": schemeNames,
      "--attack": attackNames,
    },
    commands: {
      bench: sweepNames(),
      shard: sweepNames(),
      submit: sweepNames(),
      completion: Object.keys(shells),
      dma: dmaSchemeNames,
      share: scenarioNames,
      leak: channelNames,
      "shadow-stack": stackSchemeNames,
    },
  };
}
