/**
 * Seeded random numbers: xorshift32, integers only, so that every platform draws the same.
 *
 * Source: Marsaglia, "Xorshift RNGs", J. Stat. Soft. 8(14), 2003, triple (13, 17, 5).
 */
export class Prng {
  private state: number;

  constructor(seed: number) {
    // Mixed, because nearby seeds give nearby first draws; zero is the one state that xorshift cannot leave.
    let mixed = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b);
    mixed ^= mixed >>> 15;
    this.state = mixed === 0 ? 0x2545_f491 : mixed;
  }

  /** 32 random bits as a signed integer. */
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x;
  }

  /** Uniform in [0, bound), bound up to 2^32. */
  below(bound: number): number {
    return Math.floor(((this.next() >>> 0) * bound) / 0x1_0000_0000);
  }

  /** True in `percent` of cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}
