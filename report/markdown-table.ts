/** A table in Markdown, line by line; `figures` says where the columns behind the first one are aligned. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  figures: "left" | "right" = "left",
): string[] {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", String.raw`\|`)).join(" | ")} |`;
  const rule = figures === "right" ? "---:" : "---";
  return [head, head.map((_, column) => (column === 0 ? "---" : rule)), ...rows].map(line);
}
