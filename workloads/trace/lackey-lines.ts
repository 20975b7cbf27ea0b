/**
 * What a line of a lackey log is that the parser's fast loop does not know.
 *
 * valgrind writes to standard error, and so may the program that it runs: a log holds the program's own
 * output (`total 0`), and a record may stand behind output that has no newline (`name? I  0493d350,6`).
 * Course traces and editors change blanks and line ends. A line that looks like a record and is none, such as
 * one cut in the middle, is damage and is refused; everything else that is not valgrind's is output.
 */

export type LackeyLine =
  | {
      readonly kind: "record";
      readonly letter: "I" | "L" | "S" | "M";
      /** Hexadecimal digits without leading zeros. */
      readonly digits: string;
      readonly bytes: number;
      /** Output of the program stands before it. */
      readonly behindOutput: boolean;
    }
  | { readonly kind: "call"; readonly text: string; readonly behindOutput: boolean }
  /** The end of a call that something else interrupted. */
  | { readonly kind: "result"; readonly text: string }
  /** valgrind's own words; `pid` is whose. */
  | { readonly kind: "remark"; readonly pid: string }
  | { readonly kind: "nothing" | "output" | "set-up" | "measure" | "broken" };

const setUpLine = "==shadewalk== set-up";
export const measureLine = "==shadewalk== measure";

/** `==12== `, `--12-- `, `**12** `, with `--time-stamp=yes` a time before the number, `--12:1:gc ` in debug output. */
const remark = /^(?:==|--|\*\*)(?:\d\d:\d\d:\d\d:\d\d\.\d+ )?(\d+)(?:==|--|\*\*|:\d+:)/;
const record = /^\s*([ILSM])\s+(?:0x)?([0-9a-fA-F]+),(\d+)$/;
/** As valgrind writes it, behind something that is not valgrind's. */
const recordBehind = /(I {2}| [LSM] )([0-9a-f]{8,16}),(\d+)$/;
const call = /SYSCALL\[\d+,\d+\]\(.*$/;
/** Begin like a record and hold one more word only, so they are no sentence. */
const broken = [
  /^(?:I {2}| [LSM] )\S*$/,
  /^ [A-Z] [0-9a-f]+,\d+$/,
  /^[ILSM] (?=[0-9a-f]*\d)[0-9a-f]{4,}(?:,\S*)?$/,
];

/** Is this line a lackey log's, whatever stands before it? For telling formats apart. */
export function isLackeyLine(text: string): boolean {
  return (
    remark.test(text) ||
    /^(?:==shadewalk==|SYSCALL\[\d| [LSM] [0-9a-f]|I {2}[0-9a-f]|[ILSM] (?:0x)?[0-9a-f]+,\d)/.test(
      text,
    )
  );
}

export function lackeyLine(line: string): LackeyLine {
  const text = line.trimEnd();
  if (text === "" || /^SB [0-9a-f]+$/.test(text)) return { kind: "nothing" };
  if (text === setUpLine) return { kind: "set-up" };
  if (text === measureLine) return { kind: "measure" };
  const [, pid] = remark.exec(text) ?? [];
  if (pid !== undefined) return { kind: "remark", pid };
  if (text.startsWith("==shadewalk==")) return { kind: "broken" };
  if (text.startsWith(" -->")) return { kind: "result", text };
  const whole = record.exec(text);
  const found = whole ?? recordBehind.exec(text);
  if (found !== null) {
    const [, letter = "", digits = "", bytes = ""] = found;
    return {
      kind: "record",
      letter: letter.trim() as "I" | "L" | "S" | "M",
      digits: digits.replace(/^0+(?=.)/, ""),
      bytes: Number(bytes),
      behindOutput: whole === null,
    };
  }
  const [system] = call.exec(text) ?? [];
  if (system !== undefined) {
    return { kind: "call", text: system, behindOutput: !text.startsWith(system) };
  }
  return { kind: broken.some((form) => form.test(text)) ? "broken" : "output" };
}
