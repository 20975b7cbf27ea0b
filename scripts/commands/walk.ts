/** `shadewalk walk`: every reference of one page walk, in order. */
import { Command, Option } from "@commander-js/extra-typings";
import { levelsOf } from "../../bench/points/levels.ts";
import { showWalk, type ShownWalk, type WalkStep } from "../../bench/points/show-walk.ts";
import { ConfigError } from "../../bench/input/config-error.ts";
import { cascadeText } from "../../bench/points/cascade-text.ts";
import { walkPath } from "../walk-path.ts";
import { engineFlag, enginesFlag, enginesGiven } from "./engine-options.ts";
import { dmaSchemeNames, type DmaSchemeName, iommuPresetNames } from "../../host/dma/catalogue.ts";
import { deviceWalkText } from "../device-walk-text.ts";
import { otherNames, refuseGiven } from "./given.ts";
import { nameList, oneOf, pageSize } from "./options.ts";
import { backingOption, levelsOption } from "./point-options.ts";

const sizes = ["4k", "2m"] as const;

export const walk = () =>
  new Command("walk")
    .description("Print every reference of one page walk, in order, in both dimensions.")
    .argument("[gva]", "guest-virtual address, hexadecimal, any that is canonical")
    .addOption(enginesFlag("translation schemes, one walk after the other", "ept"))
    .addOption(engineFlag())
    .option("--preset <name>", "processor; textbook has no caches", "textbook")
    .addOption(levelsOption())
    .addOption(guestPagesOption("--guest-pages <size>").default("4k" as const))
    .addOption(backingOption())
    .addOption(guestPagesOption("--pages <size>").hideHelp())
    .option(
      "--cascade",
      "A@B: print first what mapping and touching the page took between the levels",
    )
    .option(
      "--device <schemes>",
      "instead of an address: a page that a driver maps, walked by the IOMMU",
    )
    .option("--path", "print a line per table: n4 is an entry of a nested table of level 4", false)
    .option("--json", "print the walks as JSON", false)
    .addHelpText(
      "after",
      `
The guest kernel maps and touches the page first, so no fault occurs; then all caches are dropped. The kernel half
is the guest kernel's own: from 0xffff888000000000 on its direct map (0xff11000000000000 with five levels), else
what it has there or maps on demand. Without
caches a native walk of n levels reads n entries, a nested one n + m(n+1): each of the n guest entries lies at
a guest-physical address that m nested entries translate, and so does the page itself.

One line per reference: step, dimension, level (1 is the leaf table of 4 KiB pages), host-physical address of
the entry, its value, and what it says. P W U A D G PS NX are x86-64's flags, R W X A D PS those of EPT.

--cascade says how a composed entry came to be: a line for each time that L2 left, who took it and who answered, and
the exits of L0 that it set off, with the instructions and faults of L1's that are among them.

--device takes the schemes of npx shadewalk dma. The driver's kernel gives the page its address, the device writes to it.

Examples:
  npx shadewalk walk 0x400000 -e ept                        24 references
  npx shadewalk walk 0x400000 -e shadow                     4 references
  npx shadewalk walk 0x400000 -e npt --levels 5-on-5        35 references
  npx shadewalk walk 0x400000 -e npt@npt                    24 references, nested tables that L0 composed
  npx shadewalk walk 0x400000 -e npt@npt --cascade          first what it took at each level
  npx shadewalk walk 0x400000 -e ept,ept-flat --path        each as a picture
  npx shadewalk walk 0x400000 --backing 2m                  4 guest and 15 nested references
  npx shadewalk walk 0xffff888000001000 --guest-pages 2m    the direct map: 3 guest and 16 nested references
  npx shadewalk walk --device bare,nested                   a device's page: 4 and 24 references`,
    )
    .action((gva, { device, ...given }, command) => {
      if (device !== undefined) {
        if (gva !== undefined) throw new ConfigError(`gva "${gva}": is not used with --device`);
        const unused = otherNames(command, ["device", "backing", "preset"]);
        refuseGiven(command, unused, "is not used with --device");
        return printDeviceWalks(device, given);
      }
      if (gva === undefined)
        throw new ConfigError("gva: is missing: an address as in walk 0x400000");
      const { preset, levels, guestPages, backing, json, cascade, path, ...options } = given;
      const engines = enginesGiven(options, "ept");
      const pages = options.pages ?? guestPages;
      const walks = engines.map((engine) => {
        return showWalk({ gva, engine, preset, ...levelsOf(levels), pages, backing });
      });
      const alone = walks.findIndex(({ frames }) => frames === null);
      if (cascade === true && alone !== -1) {
        throw new ConfigError(
          `--cascade: is not used by ${engines[alone] ?? ""}, which has one level`,
        );
      }
      if (json) return console.log(JSON.stringify(walks.length === 1 ? walks[0] : walks, null, 1));
      walks.forEach((shown, index) => {
        if (walks.length > 1) console.log(`${index === 0 ? "" : "\n"}${engines[index] ?? ""}:`);
        if (cascade === true) printCascade(shown);
        print(shown, path);
      });
    });

function printDeviceWalks(
  schemes: string,
  { preset, backing }: { readonly preset: string; readonly backing: string },
): void {
  const request = {
    preset: oneOf("--preset", iommuPresetNames)(preset),
    backing: oneOf("--backing", ["4k", "2m"])(backing),
  };
  const names = nameList("--device", dmaSchemeNames)(schemes) as DmaSchemeName[];
  console.log(names.map((scheme) => deviceWalkText({ ...request, scheme })).join("\n\n"));
}

function printCascade({ cascade, frames }: ShownWalk): void {
  if (frames === null) return;
  const { l2, l1, host } = frames;
  console.log(`${cascadeText(cascade)}\n`);
  console.log(
    `L2's frame 0x${hex(l2)} is L1's frame 0x${hex(l1)}, the host's frame 0x${hex(host)}\n`,
  );
}

function hex(frame: number): string {
  return frame.toString(16);
}

/** `--pages` is what it was called before there were host pages to tell it from. */
const guestPagesOption = <const F extends string>(flags: F) =>
  new Option(flags, "guest pages: 4k or 2m").argParser(pageSize(flags.split(" ")[0] ?? "", sizes));

function print(shown: ShownWalk, isPath: boolean): void {
  const { steps, gva, kind, hpa } = shown;
  for (const line of isPath ? walkPath(shown) : steps.map(stepLine)) console.log(line);
  const guest = steps.filter(({ dimension }) => dimension === "guest").length;
  const nested = steps.length - guest;
  console.log(
    `GVA ${gva}${kind === "user" ? "" : ` (${kind})`} is HPA ${hpa}: ` +
      `${steps.length} references, ${guest} guest and ${nested} nested`,
  );
}

function stepLine({ step, dimension, level, address, value, meaning }: WalkStep): string {
  const place = `${dimension.padEnd(6)} level ${level}`;
  return `${`${step}`.padStart(2)}  ${place}  ${address.padEnd(12)}  ${value}  ${meaning}`;
}
