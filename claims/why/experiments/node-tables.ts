/**
 * Guest tables, nested tables or both on another node than the program and its data, and what replicas and moves do.
 *
 * Source: counters and times of vMitosis's artifact on a Xeon Gold 6252 (VX21-003 to VX21-012).
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import { totalCycles } from "../../../bench/costs/cost.ts";
import type { PointRow } from "../../../bench/results/result.ts";
import type { Experiment } from "../experiment.ts";
import { type Findings, rowNames } from "../findings.ts";
import type { MachineSwitch } from "../machine-switches.ts";
import type { WhyPoint } from "../plan.ts";

const places = {
  near: ["two nodes"],
  guestFar: ["two nodes", "guest tables far"],
  hostFar: ["two nodes", "host tables far"],
  bothFar: ["two nodes", "guest tables far", "host tables far"],
  moved: ["two nodes", "tables moved"],
  copied: ["two nodes", "tables copied"],
} as const satisfies Record<string, readonly MachineSwitch[]>;
type Place = keyof typeof places;

/** Tables of these programs are twice what the last level holds beside data. */
const shown = [
  { workload: "uniform", params: { pages: 1_048_576, accesses: 200_000, writePercent: 0 } },
  { workload: "gups", params: { pages: 1_048_576, updateOps: 150_000 } },
] as const;
type Program = (typeof shown)[number];

const at = (engine: string, program: Program, place: Place): WhyPoint => {
  const host = { preset: "skylake-sp-caches", machine: places[place], backing: "4k" } as const;
  return { ...program, ...host, engine };
};

/** What a scheme's own tables can be: bare metal has the guest's, shadow paging the hypervisor's. */
const others = [
  ["native", "guestFar"],
  ["shadow-lazy", "hostFar"],
] as const;

const eptPlaces = Object.keys(places) as Place[];

function allRows({ row }: Findings): readonly PointRow[] {
  return points.map((point) => row(point));
}

const points: readonly WhyPoint[] = shown.flatMap((program) => [
  ...eptPlaces.map((place) => at("ept", program, place)),
  ...others.flatMap(([engine, far]) => [at(engine, program, "near"), at(engine, program, far)]),
]);

/** The four ratios that vMitosis's counters give. */
function ratiosOf({ row }: Findings, program: Program) {
  const cycles = (engine: string, place: Place) =>
    totalCycles(row(at(engine, program, place)).cycles);
  const near = cycles("ept", "near");
  const added = (place: Place) => cycles("ept", place) - near;
  const walk = row(at("ept", program, "near")).cycles;
  return {
    slowdown: cycles("ept", "bothFar") / near,
    hostOverGuest: cycles("ept", "hostFar") / cycles("ept", "guestFar"),
    sum: added("bothFar") / (added("hostFar") + added("guestFar")),
    moved: cycles("ept", "moved") / near,
    copied: cycles("ept", "copied") / near,
    nestedOverGuest: walk.walkNested / walk.walkGuest,
    native: cycles("native", "guestFar") / cycles("native", "near"),
    shadow: cycles("shadow-lazy", "hostFar") / cycles("shadow-lazy", "near"),
  };
}

export const nodeTables: Experiment = {
  title: "What do page tables on another node cost?",
  points,

  read(findings) {
    const all = shown.map((program) => {
      return { name: program.workload, ...ratiosOf(findings, program) };
    });
    const each = (of: (line: (typeof all)[number]) => number) =>
      joined(
        all.map((line) => say`${line.name} ${of(line)}`),
        ", ",
      );
    const checks = all.flatMap((line) => [
      {
        direction: `${line.name}: far nested tables cost what far guest tables cost within 2 %`,
        holds: Math.abs(line.hostOverGuest - 1) < 0.02,
      },
      {
        direction: `${line.name}: what both cost is the sum within 11 %`,
        holds: Math.abs(line.sum - 1) < 0.11,
      },
      {
        direction: `${line.name}: moved or copied, the time is 0.97 to 1.04 of near`,
        holds: [line.moved, line.copied].every((ratio) => ratio > 0.97 && ratio < 1.04),
      },
      {
        direction: `${line.name}: a nested dimension costs 1.03 to 1.19 of the guest's`,
        holds: line.nestedOverGuest > 1.03 && line.nestedOverGuest < 1.19,
      },
      {
        direction: `${line.name}: EPT loses more to far tables than bare metal and shadow paging`,
        holds: line.slowdown > line.native && line.slowdown > line.shadow,
      },
    ]);
    return {
      claim: say`A walk under EPT reads two trees, so it pays twice for tables on another node: what guest tables cost there and what nested tables cost there is about equal, and adds up. Shadow paging has one tree, and the hypervisor alone decides where it is.`,
      number: say`Both trees far over both near: ${each(({ slowdown }) => slowdown)}; far nested over far guest tables: ${each(({ hostOverGuest }) => hostOverGuest)} (published 0.97 to 1.02, VX21-007 to VX21-012); both over the sum: ${each(({ sum }) => sum)} (published 0.9 to 1.1). Moved to their data: ${each(({ moved }) => moved)}, copied to each node: ${each(({ copied }) => copied)} (published 0.97 to 1.04). Far tables under shadow paging: ${each(({ shadow }) => shadow)}, on bare metal: ${each(({ native }) => native)}.`,
      evidence: say`${rowNames(allRows(findings))}; node-tables.csv`,
      change: say`Programs whose tables fit the last level lose nothing. A remote line costs 1.74 times a local one (ML23-001); a loaded link costs more.`,
      checks,
      tables: [
        {
          name: "node-tables",
          rows: all.map(({ name, ...ratios }) => {
            const figures = Object.entries(ratios).map(
              ([key, ratio]) => [key, six(ratio)] as const,
            );
            return { program: name, ...Object.fromEntries(figures) };
          }),
        },
      ],
      figures: [],
    };
  },
};
