/**
 * Where the cycles go: every engine's cycles by cause, in units of native's.
 */
import type { CycleCategory, PointRow } from "../../bench/results/result.ts";
import { exitCauses } from "../../bench/results/result.ts";
import type { Chart } from "../chart.ts";
import { stackedBars } from "../stacked-bars.ts";

const directs = exitCauses.map((cause): CycleCategory => `exitDirect${cause}`);
const indirects = exitCauses.map((cause): CycleCategory => `exitIndirect${cause}`);

/** From the guest's own work outwards to the host's. */
const groups: readonly {
  readonly name: string;
  readonly colour: string;
  readonly categories: readonly CycleCategory[];
}[] = [
  {
    name: "guest work",
    colour: "#c4c9cf",
    categories: ["guestCompute", "guestAccess", "guestKernel"],
  },
  {
    name: "walks of guest (or shadow) tables",
    colour: "#0072b2",
    categories: ["walkGuest", "walkUpdates"],
  },
  { name: "walks of nested tables", colour: "#56b4e9", categories: ["walkNested"] },
  { name: "exits: the switch", colour: "#d55e00", categories: directs },
  { name: "exits: caches lost", colour: "#f0b27a", categories: indirects },
  {
    name: "hypervisor software",
    colour: "#882255",
    categories: [
      "hypervisorHandlers",
      "hypervisorWalks",
      "hypervisorEntries",
      "hypervisorTables",
      "hypervisorEmulation",
      "hypervisorDirtyLog",
    ],
  },
  { name: "host", colour: "#332288", categories: ["host"] },
];

export const cycles: Chart = {
  question: "Where do the cycles go?",
  spec(setting) {
    return stackedBars(setting, {
      title: "Where the cycles go under each engine",
      remarks: ["Dashed: native"],
      emptyRemark: "No native run to compare with",
      axisTitle: "cycles relative to native (x)",
      legendTitle: "cause",
      parts: groups.map(({ name, colour, categories }) => ({
        name,
        colour,
        valueOf: (row) => relative(row, categories),
      })),
      reference: 1,
      engines: setting.engines,
    });
  },
};

/** A share of the run's cycles, stretched to its slowdown. */
function relative(
  { cycles: spent, cyclesTotal, slowdown }: PointRow,
  names: readonly CycleCategory[],
) {
  if (slowdown === null || cyclesTotal === 0) return 0;
  return (names.reduce((sum, name) => sum + spent[name], 0) / cyclesTotal) * slowdown;
}
