/**
 * A table of an answer's folder inside its claim: one line a program, where that is few enough to be read.
 */
import { figure } from "../format.ts";
import { wordsOf } from "../program-words.ts";
import type { AnswerTable } from "./content.ts";
import { html, type Html } from "./html.ts";

const linesOpen = 9;
const linesMax = 60;
const columnsMax = 9;

export function findingTable(name: string, table: AnswerTable | undefined): Html {
  if (table === undefined) return html``;
  // A second topic may have a file of the same name.
  const file = name.replace(/ \(\d+\)$/, "");
  const [header, ...lines] = table;
  if (header === undefined || lines.length > linesMax || header.length > columnsMax) {
    return html`<p class="quiet">${file} in the answer’s folder has ${lines.length} lines.</p>`;
  }
  const isNumber = header.map((_, column) =>
    lines.every((line) => line[column] !== "" && Number.isFinite(Number(line[column]))),
  );
  const style = (column: number) => (isNumber[column] === true ? "number" : "");
  const shown = html`<div class="scroll" tabindex="0" role="group" aria-label="${file}">
    <table>
      <thead>
        <tr>
          ${header.map((title, column) => html`<th scope="col" class="${style(column)}">${wordsOf(title)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${lines.map(
          (line) =>
            html`<tr>
              ${line.map((cell, column) => {
                const text = isNumber[column] === true ? figure(Number(cell)) : cell;
                return html`<td class="${style(column)}">${text}</td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
  if (lines.length <= linesOpen) return shown;
  return html`<details>
    <summary>${file}: ${lines.length} lines</summary>
    ${shown}
  </details>`;
}
