/**
 * When pre-copy fails, and what the ways out cost: a slower guest, or post-copy.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import type { GivenSettings } from "../../../host/migration/settings-schema.ts";
import type { MigrationExperiment } from "./experiment.ts";
import { writerOf } from "./programs.ts";

const pages = 2000;
const link: GivenSettings = { bandwidth: 40e9, downtime: 0.5, bandwidthWindow: 0 };
/** Pages that the link sends within the downtime limit: 610. */
const allowedPages = Math.floor(((40e9 / 8 / 1000) * 0.5) / 4096);
const hotSets = [120, 520, 1040, 1900] as const;
const stores = 400_000;

const pointOf = (engine: string, hotPages: number, more: GivenSettings = {}) => ({
  ...writerOf(pages, hotPages, stores),
  engine,
  migration: { ...link, ...more },
});

const slowed: GivenSettings = { autoConverge: true, throttlePeriod: 0.1 };
const moved: GivenSettings = { mode: "postcopy" };
const hopeless = 1040;

export const convergence: MigrationExperiment = {
  title: "When does pre-copy fail to converge?",
  points: [
    ...hotSets.flatMap((hot) => ["ept-pml", "ept-wp"].map((engine) => pointOf(engine, hot))),
    pointOf("ept-pml", hopeless, slowed),
    pointOf("ept-pml", hopeless, moved),
  ],

  read({ of }) {
    const table = hotSets.map((hot) => {
      const [log, protect] = ["ept-pml", "ept-wp"].map(
        (engine) => of(pointOf(engine, hot)).outcome,
      );
      if (log === undefined || protect === undefined) throw new Error("bug: why: an engine less");
      return {
        hotPages: hot,
        allowedPages,
        verdictPml: log.verdict,
        verdictProtection: protect.verdict,
        downtimeMsPml: six(log.downtimeMs),
        downtimeMsProtection: six(protect.downtimeMs),
        guestSlowdownPml: six(log.guestSlowdown),
        guestSlowdownProtection: six(protect.guestSlowdown),
        roundsPml: log.rounds,
      };
    });
    const plain = of(pointOf("ept-pml", hopeless)).outcome;
    const throttled = of(pointOf("ept-pml", hopeless, slowed)).outcome;
    const post = of(pointOf("ept-pml", hopeless, moved)).outcome;
    const fits = table.filter(({ hotPages }) => hotPages < allowedPages);
    const toomany = table.filter(({ hotPages }) => hotPages > allowedPages);
    return {
      claim: say`Pre-copy converges when what the guest writes again within a round fits the downtime limit, and no number of rounds helps when it does not. The ways out all slow the guest: throttling until it fits, write protection by its own exits, post-copy by waiting for pages.`,
      number: say`Over 40 Gbit/s a limit of 0.5 ms allows ${allowedPages} pages. Under PML guests with ${fits.at(-1)?.hotPages ?? 0} hot pages and fewer stop in time; with ${toomany[0]?.hotPages ?? 0} the guest never may, and would stand still for ${plain.downtimeMs} ms after ${plain.rounds} rounds. Auto-converge gets it through at ${throttled.throttlePercent}% throttle, ${throttled.guestSlowdown} times its run time and ${throttled.totalMs} ms; post-copy moves it in ${post.totalMs} ms with ${post.downtimeMs} ms downtime, ${post.pagesPulled} pages waited for and ${post.guestSlowdown} times its run time.`,
      evidence: say`convergence.csv; migration.csv; rounds.csv`,
      change: say`Write protection slows the guest so much (${toomany[0]?.guestSlowdownProtection ?? 0} times) that its verdict may be better: it converges by being slow. A faster link or a longer limit moves the border in proportion.`,
      checks: [
        {
          direction: "hot sets below the limit converge under PML",
          holds: fits.length > 0 && fits.every(({ verdictPml }) => verdictPml === "converged"),
        },
        {
          direction: "hot sets well above it do not",
          holds: toomany.length > 0 && toomany.every(({ verdictPml }) => verdictPml === "forced"),
        },
        { direction: "auto-converge converges", holds: throttled.verdict === "converged" },
        {
          direction: "and costs the guest more time than running free",
          holds: throttled.guestSlowdown > plain.guestSlowdown * 1.2,
        },
        {
          direction: "post-copy stops the guest for less than a tenth of the limit",
          holds: post.downtimeMs < 0.05,
        },
        {
          direction: "write protection slows such a guest more than PML",
          holds: toomany.every((line) => line.guestSlowdownProtection > line.guestSlowdownPml),
        },
      ],
      tables: [{ name: "convergence", rows: table }],
      figures: [],
    };
  },
};
