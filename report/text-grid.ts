/**
 * Columns of text for a terminal: aligned, wrapped, with escape codes only on request.
 */
export interface GridCell {
  readonly text: string;
  readonly style: "plain" | "strong" | "faint";
}

export interface GridColumn {
  readonly align: "left" | "right";
  readonly header: readonly string[];
  /** One per row; a cell of several lines makes its row as high. */
  readonly cells: readonly (readonly GridCell[])[];
}

const gap = 1;

export function gridWidth(columns: readonly GridColumn[]): number {
  return columns.reduce((sum, column) => sum + columnWidth(column) + gap, -gap);
}

/** Header, a rule, and the rows. */
export function gridLines(columns: readonly GridColumn[], colour: boolean): string[] {
  const widths = columns.map(columnWidth);
  const headerHeight = Math.max(...columns.map(({ header }) => header.length));
  const rows = Math.max(...columns.map(({ cells }) => cells.length));
  const line = (textAt: (column: GridColumn) => GridCell | undefined) =>
    columns
      .map((column, index) => {
        const { text, style } = textAt(column) ?? { text: "", style: "plain" };
        const padding = " ".repeat(Math.max(0, (widths[index] ?? 0) - text.length));
        const styled = colour ? paint(text, style) : text;
        return column.align === "left" ? styled + padding : padding + styled;
      })
      .join(" ".repeat(gap))
      .trimEnd();

  const lines: string[] = [];
  for (let i = 0; i < headerHeight; i++) {
    // Headers stand on the rule, whatever their height.
    lines.push(
      line(({ header }) => ({
        text: header[i - headerHeight + header.length] ?? "",
        style: "plain",
      })),
    );
  }
  lines.push("─".repeat(gridWidth(columns)));
  for (let row = 0; row < rows; row++) {
    const height = Math.max(...columns.map(({ cells }) => cells[row]?.length ?? 0));
    for (let i = 0; i < height; i++) lines.push(line(({ cells }) => cells[row]?.[i]));
  }
  return lines;
}

/** Breaks at spaces, and inside a word only if the word alone is too long. */
export function wrapWords(text: string, width: number): string[] {
  return pack(text.split(" "), " ", width);
}

/** Breaks a name at its hyphens. */
export function wrapName(name: string, width: number): string[] {
  return pack(name.split(/(?<=-)/), "", width);
}

function pack(words: readonly string[], glue: string, width: number): string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of words) {
    const longer = current === "" ? word : current + glue + word;
    if (longer.length <= width) {
      current = longer;
      continue;
    }
    if (current !== "") lines.push(current);
    current = word;
    while (current.length > width) {
      lines.push(current.slice(0, width));
      current = current.slice(width);
    }
  }
  return current === "" ? lines : [...lines, current];
}

function columnWidth({ header, cells }: GridColumn): number {
  const texts = [...header, ...cells.flat().map(({ text }) => text)];
  return Math.max(0, ...texts.map(({ length }) => length));
}

function paint(text: string, style: GridCell["style"]): string {
  if (style === "plain" || text === "") return text;
  const code = style === "strong" ? "1;32" : "2";
  return `\u001B[${code}m${text}\u001B[0m`;
}
