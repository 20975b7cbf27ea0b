/** The registry of channels: a new one is its file and a line here. */
import { bitFlips } from "./bit-flips.ts";
import { cacheFootprint } from "./cache-footprint.ts";
import type { Channel } from "./channel.ts";
import { faultTrace } from "./fault-trace.ts";
import { interference } from "./interference.ts";
import { mergeProbe } from "./merge-probe.ts";

export const channels = {
  "fault-trace": faultTrace,
  interference,
  "merge-probe": mergeProbe,
  "cache-footprint": cacheFootprint,
  "bit-flips": bitFlips,
} as const satisfies Record<string, Channel>;

export type ChannelName = keyof typeof channels;
export const channelNames = Object.keys(channels) as ChannelName[];
