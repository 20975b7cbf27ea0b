/**
 * One thing that shadow tables for devices are described to do, made to happen on a small machine and looked at.
 */

/** Says what was counted or reached, and whether that is what must be. */
export type See = (what: string, holds: boolean) => void;

export interface DmaScenario {
  readonly title: string;
  readonly run: (see: See) => void;
}

export interface Sight {
  readonly what: string;
  readonly holds: boolean;
}

/** Everything that a scenario shows. */
export function sightsOf({ run }: DmaScenario): Sight[] {
  const sights: Sight[] = [];
  run((what, holds) => sights.push({ what, holds }));
  return sights;
}
