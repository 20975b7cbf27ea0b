/** The least recent of the four ways from `base` on, without a branch, as a tournament: a comparison is the sign of a difference. */
export function oldestOfFour(ages: Int32Array, base: number): number {
  const age0 = ages[base]!;
  const age2 = ages[base + 2]!;
  const first = (ages[base + 1]! - age0) | 0;
  const second = (ages[base + 3]! - age2) | 0;
  const isWay1 = first >> 31;
  const isWay3 = second >> 31;
  const older = (age2 + (second & isWay3) - age0 - (first & isWay1)) >> 31;
  return ((base - isWay1) & ~older) | ((base + 2 - isWay3) & older);
}
