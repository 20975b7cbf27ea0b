/**
 * Text into HTML: everything that comes from a file or a name passes here, and stays text.
 */

/** Markup that may stand in a page as it is. Only this file makes it from text. */
export interface Html {
  readonly markup: string;
}

type Piece = string | number | Html | readonly Html[];

/** Template tag: what is put in is escaped, unless it is markup already. */
export function html(words: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  const text = words.map((word, index) => {
    const piece = pieces[index];
    return piece === undefined ? word : word + markupOf(piece);
  });
  return { markup: text.join("") };
}

function markupOf(piece: Piece): string {
  if (typeof piece === "string" || typeof piece === "number") return escaped(String(piece));
  return "markup" in piece ? piece.markup : piece.map(({ markup }) => markup).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** A program of our own or of a library, as the content of a script element that nothing can close early. */
export function scriptText(program: string): string {
  // In a string or a regular expression `<\/script` means the same; elsewhere it cannot occur.
  return program.replaceAll(/<\/(?=script)/gi, "<\\/").replaceAll("<!--", "<\\!--");
}

/** Data as the content of a script element of type `application/json`. */
export function jsonText(data: unknown): string {
  return JSON.stringify(data).replaceAll("<", "\\u003c");
}
