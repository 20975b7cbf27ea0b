/**
 * Traces of other tools that people have at hand and that are not read here, told by a line.
 *
 * Naming the tool is what helps: `FORMAT.md` has for most a line of awk that makes a readable trace of it.
 */

const forms: readonly (readonly [name: string, line: RegExp])[] = [
  [
    "perf mem",
    /^# (?:Samples|To display the perf\.data|captured on|hostname)|mem-(?:loads|stores)/,
  ],
  ["a recording of perf", /^PERFILE/],
];

/** The tool that wrote `line`, or null. */
export function foreignTrace(line: string): string | null {
  return forms.find(([, form]) => form.test(line))?.[0] ?? null;
}
