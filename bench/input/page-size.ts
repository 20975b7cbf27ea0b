/**
 * Page sizes as people write them: 4k, 4K, 2M, 2MiB, 1gb. Everything behind this says 4k, 2m, 1g.
 */

/** The one word for the size that `text` means; `text` itself where it means none. */
export function pageSizeWord(text: string): string {
  const [, number = "", unit = ""] = /^([124])\s?([kmg])(?:i?b)?$/i.exec(text.trim()) ?? [];
  return number === "" ? text : `${number}${unit.toLowerCase()}`;
}
