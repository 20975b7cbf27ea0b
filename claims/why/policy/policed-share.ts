/**
 * Where guarded EPT and lazy shadow paging cross, as more of the guest's leaf tables are guarded.
 */
import { joined, say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { Experiment } from "../experiment.ts";
import { rowNames } from "../findings.ts";
import { leafShares, shareEngine } from "../policy-engines.ts";

const lazy = "kvm-6.12";
const programs = [
  { workload: "mprotect-gc" },
  { workload: "forkwait" },
  { workload: "compile" },
  { workload: "key-value" },
] as const;
const engines = [lazy, ...leafShares.map(shareEngine)];

export const policedShare: Experiment = {
  title: "How much must be guarded before lazy shadow wins?",
  points: programs.flatMap((program) =>
    ["native", ...engines].map((engine) => ({ ...program, engine })),
  ),

  read({ row }) {
    const table = programs.map((program) => {
      const slow = (engine: string) => six(row({ ...program, engine }).slowdown ?? Number.NaN);
      const shares = leafShares.map((percent) => ({
        percent,
        slowdown: slow(shareEngine(percent)),
      }));
      const slowdownLazy = slow(lazy);
      const crossed = shares.find(({ slowdown }) => slowdown > slowdownLazy)?.percent ?? -1;
      const columns = shares.map(
        ({ percent, slowdown }) => [`guarded${percent}`, slowdown] as const,
      );
      return { program: program.workload, slowdownLazy, crossed, columns };
    });
    const crossing = table.filter(({ crossed }) => crossed >= 0);
    const texts = table.map(({ program, crossed }) =>
      crossed < 0 ? say`${program} never` : say`${program} from ${crossed}% on`,
    );
    const ends = table.map(({ columns }) => columns.map(([, slowdown]) => slowdown));
    return {
      claim: say`The price of guarding leaf tables grows with the share of them that is guarded, and for programs that change their mappings it passes lazy shadow paging's before all are.`,
      number: say`Lazy shadow is the cheaper one, of guarded shares ${leafShares.join(", ")}%: ${joined(texts, ", ")}.`,
      evidence: say`${rowNames(programs.flatMap((program) => engines.map((engine) => row({ ...program, engine }))))}; policed-share.csv`,
      change: say`Which tables are hot decides: a share is drawn evenly over the leaf tables in the order in which they are met.`,
      checks: [
        {
          direction: "guarding everything costs more than guarding upper tables alone",
          holds: ends.every((slowdowns) => (slowdowns.at(-1) ?? 0) >= (slowdowns[0] ?? 0)),
        },
        { direction: "lazy shadow wins somewhere on the way", holds: crossing.length > 0 },
      ],
      tables: [
        {
          name: "policed-share",
          rows: table.map(({ program, slowdownLazy, columns }) => {
            return { program, slowdownLazy, ...Object.fromEntries(columns) };
          }),
        },
      ],
      figures: [
        {
          kind: "bars",
          name: "policed-share",
          data: {
            title: "Slowdown against the policed share of the guest's leaf tables",
            remarks: [
              "EPT with guarded tables and four CR3-target values; all upper tables guarded.",
            ],
            axisTitle: "run time over native",
            legendTitle: "",
            parts: [{ name: "run time", colour: "#4c78a8" }],
            panels: table.map(({ program, slowdownLazy, columns }) => {
              const bars = columns.map(([name, slowdown], i) => {
                return { name: `${leafShares[i] ?? name}%`, values: [slowdown] };
              });
              return { name: program, bars: [...bars, { name: "lazy", values: [slowdownLazy] }] };
            }),
          },
        },
      ],
    };
  },
};
