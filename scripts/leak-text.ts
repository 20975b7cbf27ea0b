/** What a channel gave away, as a table for a terminal: a line per scheme. */
import type { Channel, ChannelRow } from "../policies/channels/channel.ts";
import { type GridColumn, gridLines, wrapWords } from "../report/text-grid.ts";

interface Leak {
  readonly name: string;
  readonly channel: Channel;
  readonly rows: readonly ChannelRow[];
}

const cellWidth = 40;

export function leakText({ name, channel, rows }: Leak): string {
  const grid = Object.entries(channel.columns).map(([field, heading]): GridColumn => {
    const values = rows.map((row) => row[field] ?? "");
    const isNumber = values.every((value) => typeof value === "number");
    return {
      align: isNumber ? "right" : "left",
      header: wrapWords(heading, 12),
      cells: values.map((value) =>
        wrapWords(`${value}`, cellWidth).map((text) => ({ text, style: "plain" as const })),
      ),
    };
  });
  return [`${channel.title} (${name})`, ...channel.summary, "", ...gridLines(grid, false)].join(
    "\n",
  );
}
