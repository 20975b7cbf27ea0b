/** `shadewalk trace`: the teaching dialect, line by line. */
import { Command } from "@commander-js/extra-typings";
import { ConfigError } from "../../bench/input/config-error.ts";
import { runDialect } from "../../bench/points/run-dialect.ts";
import { engineFlag, enginesFlag, enginesGiven } from "./engine-options.ts";

export const trace = () =>
  new Command("trace")
    .description("Run a file of the teaching dialect and print what the hypervisor makes of it.")
    .argument("<file>", "PT_WRITE and ACCESS lines; - is standard input")
    .addOption(enginesFlag("translation schemes, one after the other", "shadow"))
    .addOption(engineFlag())
    .option("-v, --verbose", "also what guest and hypervisor do for each line", false)
    .addHelpText(
      "after",
      `
The dialect has two lines:
  PT_WRITE 0x1000->0x5000    the guest maps GVA 0x1000 to GPA 0x5000
  ACCESS 0x1000              the guest reads

Host frames lie in a row from 0x85000 on, so GPA 0x5000 is HPA 0x8A000. Exits and flushes are counted, not
scripted: compare -e shadow with -e ept. The host is warm: that it has to give and map a frame at its
first use is done before a line is counted (\`run --trace\` counts it too).

Example:
  printf 'PT_WRITE 0x1000->0x5000\\nACCESS 0x1000\\n' | npx shadewalk trace - --verbose`,
    )
    .action(async (file, { verbose, ...options }) => {
      const engines = enginesGiven(options, "shadow");
      if (file === "-" && engines.length > 1) {
        throw new ConfigError("-: standard input runs under one engine");
      }
      for (const engine of engines) {
        if (engines.length > 1) console.log(`${engine}:`);
        await runDialect({ file, engine, verbose, print: (line) => console.log(line) });
      }
    });
