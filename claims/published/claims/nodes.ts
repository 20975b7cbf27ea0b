/**
 * Guest tables, nested tables or both on another node than the program (vMitosis's artifact, real processors).
 *
 * Our programs are on 4 GiB, and a migrated table is moved once, before what is measured. Theirs run beside a loaded link
 * when vMitosis moves tables, so only the time after it is compared.
 */
import type { HostName } from "../../../bench/points/boot-machine.ts";
import { btree } from "../../../workloads/btree.ts";
import { gups } from "../../../workloads/gups.ts";
import { uniform } from "../../../workloads/uniform.ts";
import type { Claim } from "../claim.ts";
import type { Stage } from "../stage.ts";
import { bigPages, bigScene } from "./big-memory.ts";

const places = {
  near: "two nodes",
  guestFar: "two nodes, guest tables far",
  nestedFar: "two nodes, nested tables far",
  bothFar: "two nodes, both tables far",
  moved: "two nodes, both tables moved",
} as const satisfies Record<string, HostName>;
type Place = keyof typeof places;

const reads = { pages: bigPages, accesses: 200_000, writePercent: 0 };

const codes = [
  {
    id: "VX21-009",
    code: "GUPS",
    ours: "gups",
    scene: (host: HostName) => bigScene(gups, "ept", host),
  },
  {
    id: "VX21-007",
    code: "BTree",
    ours: "btree",
    scene: (host: HostName) => bigScene(btree, "ept", host),
  },
  {
    id: "VX21-008",
    code: "Canneal",
    ours: "uniform reads",
    scene: (host: HostName) => ({ program: uniform, params: reads, engine: "ept", host }) as const,
  },
] as const;
type Code = (typeof codes)[number];

function cycles(stage: Stage, { scene }: Code, place: Place): number {
  return stage.run<never>(scene(places[place]) as never).total;
}

const questions = [
  {
    what: "far nested / far guest tables",
    published: (id: string) => `${id}[2] / ${id}[3]`,
    how: "cycles with nested tables on the other node / with guest tables there",
    simulate: (of: (place: Place) => number) => of("nestedFar") / of("guestFar"),
  },
  {
    what: "both tables far, over the sum of each",
    published: (id: string) => `(${id}[4] - ${id}[1]) / (${id}[2] + ${id}[3] - 2 * ${id}[1])`,
    how: "cycles that both trees on the other node add / sum of what each adds alone",
    simulate: (of: (place: Place) => number) =>
      (of("bothFar") - of("near")) / (of("nestedFar") + of("guestFar") - 2 * of("near")),
  },
  {
    what: "both tables far / near",
    published: (id: string) => `${id}[4] / ${id}[1]`,
    how: "cycles with both trees on the other node / on the program's",
    simulate: (of: (place: Place) => number) => of("bothFar") / of("near"),
  },
  {
    what: "tables moved to their data / near",
    published: (id: string) => `${id}[6] / ${id}[1]`,
    how: "cycles after far tables were moved to the node of what they point to / never far",
    simulate: (of: (place: Place) => number) => of("moved") / of("near"),
  },
] as const;

/** Why a claim misses, by its name. */
const missed: Readonly<Record<string, string>> = {
  "BTree, both tables far / near":
    "tested: 1.20 where a lookup reads one line of each node, as of small nodes, and not four; here 70 % of the cycles go to the program's own lines, which are near either way",
};

function missedBecause(name: string): Pick<Claim, "missedBecause"> {
  const reason = missed[name];
  return reason === undefined ? {} : { missedBecause: reason };
}

export const nodes: readonly Claim[] = codes.flatMap((code) =>
  questions.map(({ what, published, how, simulate }): Claim => ({
    name: `${code.code}, ${what}`,
    class: "c",
    published: published(code.id),
    compare: { kind: "measured" },
    unit: "x",
    how: `${code.ours} on 4 GiB, ept, skylake-sp-caches on two nodes: ${how}`,
    simulate: (stage) => simulate((place) => cycles(stage, code, place)),
    ...missedBecause(`${code.code}, ${what}`),
  })),
);
