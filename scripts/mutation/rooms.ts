/** Where mutants are planted, which tests look for them, and how many have to be found. */

/** Rooms of one score, and the percent of their mutants that some test must kill. */
export const goalPercents = { "machine, engines": 90, elsewhere: 85 } as const;
export type Score = keyof typeof goalPercents;

export interface Room {
  readonly score: Score;
  /** Globs from the repository's root: a file that moves within its room is found again. */
  readonly files: readonly string[];
  /** Tests that run against its mutants. A file takes a second to load, so those of other rooms are left out. */
  readonly tests: readonly string[];
}

export const rooms: readonly Room[] = [
  {
    score: "machine, engines",
    files: ["machine/**/*.ts", "engines/**/*.ts"],
    tests: [
      "machine/**/*.test.ts",
      "engines/**/*.test.ts",
      "bench/oracle/{plain-*,oracle,swap,sharing,stamper,dirty-sets,ways-and-gigabytes,differential}.test.ts",
      "bench/dirty-log/*.test.ts",
    ],
  },
  {
    score: "elsewhere",
    files: ["guest/**/*.ts"],
    tests: ["guest/**/*.test.ts"],
  },
  {
    score: "elsewhere",
    files: ["workloads/trace/**/*.ts"],
    tests: ["workloads/trace/**/*.test.ts"],
  },
  {
    score: "elsewhere",
    files: [
      "bench/cost*.ts",
      "bench/price-rows.ts",
      "bench/dirty-log/**/*.ts",
      "bench/migration/**/*.ts",
      "bench/sharing/**/*.ts",
    ],
    tests: [
      "bench/{cost*,conservation,price*}.test.ts",
      "bench/{dirty-log,migration,sharing}/**/*.test.ts",
    ],
  },
];

/** Tests, and what only tests and fuzzers use, are no product: nothing in them can be wrong and unnoticed. */
export const helpers: readonly string[] = [
  "**/*.test.ts",
  "**/test-*.ts",
  "**/fixtures*",
  "**/fixtures/**",
  "workloads/trace/trace-arbitraries.ts",
  "bench/migration/fuzz-*.ts",
  "bench/migration/planted-engines.ts",
];

/** Tests that no room uses: random programs for minutes, which find what quicker tests find. */
export const leftOut: readonly string[] = [
  "bench/migration/{fuzz-migrations,every-workload}.test.ts",
];
