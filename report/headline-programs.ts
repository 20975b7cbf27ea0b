/**
 * The programs behind every headline: the table's mean, the page's verdict, the terminal's means.
 *
 * A program is what its workload's defaults say: a warm host, a kernel that does not isolate its tables, under every scheme
 * of the setting. So each counts once; rows that differ (KPTI, a cold host, another size) stand below and in no headline.
 */
import { type PointKey } from "../bench/results/result.ts";
import { type Case, guestPageSize, type Setting, switchWords } from "./cases.ts";

export interface Sizes {
  readonly guest: PointKey["backing"];
  readonly host: PointKey["backing"];
}

/** Production first: hugetlbfs and transparent huge pages give small guest pages large host pages. */
const sizes: readonly Sizes[] = [
  { guest: "4k", host: "2m" },
  { guest: "4k", host: "4k" },
  { guest: "2m", host: "2m" },
];

/** Settings of the processor that most ran on, production's page sizes first; those that were not run are left out. */
export function headlineSettings(settings: readonly Setting[]): Setting[] {
  return sizes.flatMap((size) => settings.find((one) => isOf(one, size, settings[0])) ?? []);
}

function isOf({ cases }: Setting, { guest, host }: Sizes, first: Setting | undefined): boolean {
  const [own, reference] = [cases, first?.cases ?? []].map((all) => all[0]?.series[0]?.points[0]);
  return (
    own !== undefined &&
    reference !== undefined &&
    own.key.preset === reference.key.preset &&
    own.key.guestLevels === reference.key.guestLevels &&
    own.key.backing === host &&
    guestPageSize(own.key) === guest
  );
}

/** Of a setting, one case for each workload: that which most schemes ran, without a switch. */
export function headlineCases({ cases }: Pick<Setting, "cases">): Case[] {
  const plain = cases.filter((one) => switchesOf(one) === "");
  const most = Math.max(...plain.map(({ series }) => series.length));
  const whole = plain.filter(({ series }) => series.length === most);
  return [...Map.groupBy(whole, ({ workload }) => workload).values()].flatMap(
    ([first]) => first ?? [],
  );
}

/** What a case's kernel or host does that the usual one does not, in words. */
export function switchesOf({ series }: Case): string {
  return switchWords(series[0]?.points[0]?.key.params ?? {}).join(" ");
}
