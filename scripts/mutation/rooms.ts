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
    files: ["machine/**/*.ts", "hypervisor/**/*.ts", "engines/**/*.ts"],
    tests: [
      "machine/**/*.test.ts",
      "hypervisor/**/*.test.ts",
      "engines/**/*.test.ts",
      "check/oracle/*.test.ts",
      "host/dirty-log/*.test.ts",
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
      "bench/costs/*.ts",
      "host/dirty-log/**/*.ts",
      "host/migration/**/*.ts",
      "host/sharing/**/*.ts",
    ],
    tests: [
      "bench/{costs/*,points/conservation}.test.ts",
      "host/{dirty-log,migration,sharing}/**/*.test.ts",
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
  "host/fuzz/*.ts",
  "host/migration/planted-engines.ts",
  "machine/plain/{examples,fixture,operation,scenario}.ts",
  // Texts that stand at each of their calls: Stryker's own functions at the top of them would, too.
  "machine/unit/*.{t,inline}.ts",
];

/** Tests that no room uses: random programs for minutes, which find what quicker tests find; one that changes sources itself. */
export const leftOut: readonly string[] = [
  "engines/host-events.test.ts",
  "host/{fuzz/fuzz-migrations,migration/every-workload}.test.ts",
];
