/**
 * What a message quotes of somebody's input: one line, no longer than anybody reads, no character that a terminal obeys.
 *
 * Every complaint, of traces, sweeps, options and files, takes its quotations from here.
 */

/** Characters of a quoted value; what follows is cut. */
export const quotedLengthMax = 60;

/** Controls of both sets (ESC, and CSI as U+009B), marks that turn the writing direction, line ends, halves of pairs. */
const invisible = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A value as a person typed it, in quotes, so that an empty word or a space can be seen; a number as it is. */
export function quote(value: unknown): string {
  return typeof value === "string" ? visible(JSON.stringify(cut(value))) : cut(String(value));
}

/** The same without quotes: for names of fields and keys. */
export function bare(text: string): string {
  return visible(cut(text));
}

/**
 * A whole message as one line. It may be long, but whatever it took from elsewhere is harmless. Blanks stay as they are: a
 * quoted line of a trace must be found in its file.
 */
export function oneLine(text: string): string {
  return visible(
    text
      .replaceAll(/\s*[\r\n]\s*/g, " ")
      .replaceAll("\t", " ")
      .trim(),
  );
}

/** Cut by characters, so that none is halved. */
function cut(text: string): string {
  // Only what can be left is spread: the text may be a file of megabytes.
  const letters = Array.from(text.slice(0, 2 * quotedLengthMax + 2));
  if (letters.length <= quotedLengthMax) return text;
  return `${letters.slice(0, quotedLengthMax).join("")}...`;
}

function visible(text: string): string {
  return text.replaceAll(invisible, (letter) => {
    const code = (letter.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
  });
}
