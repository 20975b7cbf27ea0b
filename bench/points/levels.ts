/**
 * How deep the two dimensions of translation are, as people write it: guest-on-nested.
 */
const pairs = {
  "4-on-4": { guestLevels: 4, nestedLevels: 4 },
  "4-on-5": { guestLevels: 4, nestedLevels: 5 },
  "5-on-4": { guestLevels: 5, nestedLevels: 4 },
  "5-on-5": { guestLevels: 5, nestedLevels: 5 },
} as const;

/** What x86-64 has not. */
const shallow = {
  "3-on-3": { guestLevels: 3, nestedLevels: 3 },
  "3-on-4": { guestLevels: 3, nestedLevels: 4 },
  "4-on-3": { guestLevels: 4, nestedLevels: 3 },
} as const;

const all = { ...pairs, ...shallow };

export type LevelPair = keyof typeof all;
/** Those of x86-64. */
export const levelPairNames = Object.keys(pairs) as (keyof typeof pairs)[];
/** Those of any machine. */
export const anyLevelPairs = Object.keys(all) as LevelPair[];

export function levelsOf(pair: LevelPair): (typeof all)[LevelPair] {
  return all[pair];
}
