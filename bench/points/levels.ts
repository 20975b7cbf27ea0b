/**
 * How deep the two dimensions of translation are, as people write it: guest-on-nested.
 */
const pairs = {
  "4-on-4": { guestLevels: 4, nestedLevels: 4 },
  "4-on-5": { guestLevels: 4, nestedLevels: 5 },
  "5-on-4": { guestLevels: 5, nestedLevels: 4 },
  "5-on-5": { guestLevels: 5, nestedLevels: 5 },
} as const;

export type LevelPair = keyof typeof pairs;
export const levelPairNames = Object.keys(pairs) as LevelPair[];

export function levelsOf(pair: LevelPair): (typeof pairs)[LevelPair] {
  return pairs[pair];
}
