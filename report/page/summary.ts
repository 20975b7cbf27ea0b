/**
 * The answer of one sweep in a few lines: who was fastest how often, and by how much.
 */
import { baselineEngine, type ResultRows } from "../../bench/results/result.ts";
import { arrange, type Setting } from "../cases.ts";
import { lead, short } from "../format.ts";
import { headlineCases } from "../headline-programs.ts";
import { pickMetric, scoreCase } from "../score.ts";
import { geometricMean } from "../../bench/results/figures.ts";
import { html, type Html } from "./html.ts";

/** One table per setting: an engine a line, the fastest first. The first setting stands open, the others are folded. */
export function summaryHtml(rows: ResultRows): Html {
  const [first, ...others] = arrange(rows);
  if (first === undefined) return html``;
  return html`<h3>${first.title}</h3>
    ${settingHtml(first)}
    ${others.map(
      (setting) =>
        html`<details>
          <summary>${setting.title}</summary>
          ${settingHtml(setting)}
        </details>`,
    )}`;
}

interface Standing {
  readonly engine: string;
  readonly wins: number;
  readonly ran: number;
  readonly mean: number;
  readonly best: { readonly label: string; readonly value: number };
  readonly worst: { readonly label: string; readonly value: number };
}

function settingHtml({ title, engines, ...all }: Setting): Html {
  const setting = { title, engines, cases: headlineCases(all) };
  const standings = standingsOf(setting);
  const [first, second] = standings;
  if (first === undefined) return html`<p>${setting.title}: no engine beside native.</p>`;
  const metric = pickMetric(setting.cases);
  const unit = metric === "slowdown" ? "slowdown over native" : "cycles per access";
  const ahead = second === undefined || second.ran !== first.ran ? null : second.mean / first.mean;
  const [one] = setting.cases;
  const programs =
    setting.cases.length === 1 && one !== undefined
      ? `in ${one.label}`
      : `on average over ${setting.cases.length} programs`;
  return html`<p class="claim">
      <strong>${first.engine}</strong> has the lowest ${unit} ${programs}:
      ${short(first.mean)}${ahead === null ? "" : aheadText(ahead, second?.engine ?? "")}.
    </p>
    <div class="scroll" tabindex="0" role="group" aria-label="Standings, ${setting.title}">
      <table>
        <thead>
          <tr>
            <th scope="col">engine</th>
            <th scope="col" class="number">fastest in</th>
            <th scope="col" class="number">geometric mean</th>
            <th scope="col">best at</th>
            <th scope="col">worst at</th>
          </tr>
        </thead>
        <tbody>
          ${standings.map(
            ({ engine, wins, ran, mean, best, worst }) =>
              html`<tr>
                <th scope="row">${engine}</th>
                <td class="number">${wins} of ${ran}</td>
                <td class="number">${short(mean)}</td>
                <td>${best.label} (${short(best.value)})</td>
                <td>${worst.label} (${short(worst.value)})</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="quiet">${unit}, medians over seeds; a draw counts for both.</p>`;
}

/** Two that differ by less than a reader would see are level. */
function aheadText(ahead: number, engine: string): string {
  return ahead < 1.0005 ? `, level with ${engine}` : `, ${lead(ahead)} ahead of ${engine}`;
}

/** Engines that ran every case come first, then by mean. */
function standingsOf({ engines, cases }: Pick<Setting, "engines" | "cases">): Standing[] {
  const metric = pickMetric(cases);
  const scores = cases.map((one) => ({ label: one.label, ...scoreCase(one, metric) }));
  return engines
    .filter((engine) => engine !== baselineEngine)
    .flatMap((engine): Standing[] => {
      const values = scores.flatMap(({ label, summaries }) => {
        const value = summaries.get(engine)?.median;
        return value === undefined ? [] : [{ label, value }];
      });
      const sorted = values.toSorted((a, b) => a.value - b.value);
      const [best, worst] = [sorted[0], sorted.at(-1)];
      if (best === undefined || worst === undefined) return [];
      return [
        {
          engine,
          wins: scores.filter(({ winners }) => winners.has(engine)).length,
          ran: values.length,
          mean: geometricMean(values.map(({ value }) => value)),
          best,
          worst,
        },
      ];
    })
    .toSorted((a, b) => b.ran - a.ran || a.mean - b.mean);
}
