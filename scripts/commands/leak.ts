/** `shadewalk leak`: what somebody learns of somebody else without touching their memory, under each scheme. */
import { Command, Option } from "@commander-js/extra-typings";
import { type ChannelName, channelNames, channels } from "../../policies/channels/index.ts";
import { type Channel, groupingNames } from "../../policies/channels/channel.ts";
import { leakText } from "../leak-text.ts";
import { refuseGiven } from "./given.ts";
import { nameList, wholeNumber } from "./options.ts";
import { jsonOption, seedOption } from "./point-options.ts";

export const leak = () =>
  new Command("leak")
    .description("Let one program or guest watch another: what it learns, and what prevents it.")
    .argument("[channels]", `of ${channelNames.join(", ")}, separated by commas`, "all")
    .option(
      "--bits <n>",
      "length of the secret; bits to flip, of each group",
      wholeNumber("--bits", 1, 4096),
      64,
    )
    .addOption(
      new Option("--by <what>", "tell bits that flip apart by whose tables, level, or kind of bit")
        .choices(groupingNames)
        .default("tables" as const),
    )
    .addOption(seedOption())
    .option("--check", "oracles on every guest", false)
    .addOption(jsonOption("the rows by channel"))
    .addHelpText(
      "after",
      `
Channels:
${channelNames.map((name) => `  ${name.padEnd(15)}  ${titleOf(name)}`).join("\n")}

What each shows and why: docs/policies.md.

Examples:
  npx shadewalk leak
  npx shadewalk leak fault-trace --bits 256 --check
  npx shadewalk leak bit-flips --by bits --bits 16`,
    )
    .action((chosen, { json, ...settings }, words) => {
      const read = nameList("channels", channelNames);
      const names = chosen === "all" ? channelNames : (read(chosen) as ChannelName[]);
      const used = new Set(names.flatMap((name) => [...channels[name].uses]));
      const unused = (["seed", "bits", "check", "by"] as const).filter((one) => !used.has(one));
      refuseGiven(words, unused, `is not used by ${names.join(", ")}`);
      const found = names.map((name) => {
        const channel: Channel = channels[name];
        return { name, channel, rows: channel.run(settings) };
      });
      if (json) {
        const byName = Object.fromEntries(found.map(({ name, rows }) => [name, rows]));
        return console.log(JSON.stringify(byName, null, 1));
      }
      console.log(found.map(leakText).join("\n\n"));
    });

function titleOf(name: ChannelName): string {
  return channels[name].title;
}
