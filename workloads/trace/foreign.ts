/**
 * Traces of other tools that people have at hand and that are not read here, told by a line.
 *
 * Naming the tool is what helps: `FORMAT.md` has for most a line of awk that makes a readable trace of it.
 */

const forms: readonly (readonly [name: string, line: RegExp])[] = [
  ["Pin's pinatrace", /^0x[0-9a-f]+: [RW] 0x[0-9a-f]+/i],
  ["plain R and W lines", /^(?:[RWX]|read|write|load|store|ld|st)[\s,:]+(?:0x)?[0-9a-f]{3,16}\b/i],
  ["Dinero's din", /^[0-4][ \t]+(?:0x)?[0-9a-f]{3,16}\b/i],
  ["DynamoRIO's drmemtrace", /^Output format:|^\s*\d+\s+\d+:\s+\d+ |<marker: /],
  ["DynamoRIO's memtrace", /^Format: <|^0x[0-9a-f]+:\s+\d+, \w+/i],
  [
    "perf mem",
    /^# (?:Samples|To display the perf\.data|captured on|hostname)|mem-(?:loads|stores)/,
  ],
  ["a recording of perf", /^PERFILE/],
  ["gem5", /^gem5|^\s*\d+: (?:system|global)[\w.]*: /],
];

/** The tool that wrote `line`, or null. */
export function foreignTrace(line: string): string | null {
  return forms.find(([, form]) => form.test(line))?.[0] ?? null;
}
