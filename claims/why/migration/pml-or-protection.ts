/**
 * PML against write protection, by how much is dirtied and by what an exit costs.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { MigrationExperiment, MigrationFindings } from "./experiment.ts";
import { endless, writerOf } from "./programs.ts";

const engines = ["ept-wp", "ept-pml"] as const;
const presets = ["nehalem", "skylake-sp", "zen2"] as const;
const hotSets = [80, 520, 3000] as const;
const pages = 4000;

type Engine = (typeof engines)[number];
type Preset = (typeof presets)[number];

function pointOf(engine: Engine, preset: Preset, hotPages: number) {
  const migration = { ...endless, bandwidth: 100e9 };
  return { ...writerOf(pages, hotPages), engine, preset, migration };
}

function lineOf({ of }: MigrationFindings, preset: Preset, hotPages: number) {
  const outcome = (engine: Engine) => of(pointOf(engine, preset, hotPages)).outcome;
  const perPage = ({ guestCycles, unmigratedCycles, pagesDirtied }: ReturnType<typeof outcome>) =>
    (guestCycles - unmigratedCycles) / pagesDirtied;
  const [protect, log] = [outcome("ept-wp"), outcome("ept-pml")];
  return {
    preset,
    hotPages,
    slowdownProtection: six(protect.trackerSlowdown),
    slowdownPml: six(log.trackerSlowdown),
    cyclesPerPageProtection: six(perPage(protect)),
    cyclesPerPagePml: six(perPage(log)),
    dirtiedProtection: protect.pagesDirtied,
    dirtiedPml: log.pagesDirtied,
  };
}

export const pmlOrProtection: MigrationExperiment = {
  title: "When does PML beat write protection, and by how much?",
  points: presets.flatMap((preset) =>
    hotSets.flatMap((hot) => engines.map((engine) => pointOf(engine, preset, hot))),
  ),

  read(findings) {
    const table = presets.flatMap((preset) => hotSets.map((hot) => lineOf(findings, preset, hot)));
    const today = table.filter(({ preset }) => preset === "skylake-sp");
    const [few, , many] = today;
    const old = table.filter(({ preset }) => preset === "nehalem");
    if (few === undefined || many === undefined) throw new Error("bug: why: no hot sets");
    const perPage = (lines: typeof table) =>
      Math.max(...lines.map(({ cyclesPerPageProtection }) => cyclesPerPageProtection));
    const log = Math.max(...table.map(({ cyclesPerPagePml }) => cyclesPerPagePml));
    return {
      claim: say`PML beats write protection wherever pages are dirtied at all: protection pays an exit for each page and round, PML a share of one in ${512}. By how much is the dirty rate times the price of an exit.`,
      number: say`While its memory is logged without end, a guest with ${few.hotPages} hot pages runs ${few.slowdownProtection} times as long under protection and ${few.slowdownPml} times under PML; with ${many.hotPages} hot pages ${many.slowdownProtection} and ${many.slowdownPml}. A dirtied page costs the guest up to ${perPage(today)} cycles under protection on Skylake-SP, ${perPage(old)} at Nehalem's prices, and at most ${log} under PML anywhere.`,
      evidence: say`pml-or-protection.csv; migration.csv`,
      change: say`A guest that dirties each page once gains little in all. A hypervisor thread that holds the MMU lock for long would slow exits further.`,
      checks: [
        {
          direction: "protection costs more per dirtied page, at every size and price",
          holds: table.every((line) => line.cyclesPerPageProtection > line.cyclesPerPagePml),
        },
        {
          direction: "PML's guest is the faster one in every case",
          holds: table.every((line) => line.slowdownProtection > line.slowdownPml),
        },
        {
          direction: "dearer exits make protection dearer",
          holds: perPage(old) > perPage(today),
        },
      ],
      tables: [{ name: "pml-or-protection", rows: table }],
      figures: [
        {
          kind: "bars",
          name: "pml-or-protection",
          data: {
            title: "What a dirtied page costs the guest",
            remarks: ["Cycles of the guest beyond the same work without a log, per page reported"],
            axisTitle: "cycles per dirtied page",
            legendTitle: "",
            parts: [{ name: "exits, log and lost translations", colour: "#0072b2" }],
            panels: presets.map((preset) => ({
              name: `${preset} prices`,
              bars: table
                .filter((line) => line.preset === preset)
                .flatMap((line) => [
                  {
                    name: `protection, ${line.hotPages} hot pages`,
                    values: [line.cyclesPerPageProtection],
                  },
                  { name: `PML, ${line.hotPages} hot pages`, values: [line.cyclesPerPagePml] },
                ]),
            })),
          },
        },
      ],
    };
  },
};
