/**
 * The contract of a channel: somebody who should learn nothing of somebody else tries to, under several schemes.
 */
export interface SecretSettings {
  readonly seed: number;
  /** Length of the secret; bits that flip, of each group. */
  readonly bits: number;
  /** Is every access held against the oracle? */
  readonly check: boolean;
}

/** What bits that flip are told apart by. */
export const groupingNames = ["tables", "levels", "bits"] as const;
export type Grouping = (typeof groupingNames)[number];

export interface ChannelSettings extends SecretSettings {
  readonly by: Grouping;
}

/** What came out under one scheme: for each column that the channel names, its value. */
export type ChannelRow = Readonly<Record<string, string | number>>;

export interface Channel {
  readonly title: string;
  /** Settings that decide anything here. */
  readonly uses: readonly (keyof ChannelSettings)[];
  /** Who tries what, and what the columns mean. */
  readonly summary: readonly string[];
  /** By the name of a row's field, its heading. */
  readonly columns: Readonly<Record<string, string>>;
  run(settings: ChannelSettings): readonly ChannelRow[];
}
