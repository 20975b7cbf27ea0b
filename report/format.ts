/**
 * Numbers as people read them: three significant digits, no exponent.
 */

/** 1.42, 17.7, 177, 12 300. */
export function short(value: number): string {
  if (value >= 1000) return grouped(Math.round(Number(value.toPrecision(3))));
  return value.toFixed(decimalsOf(value));
}

/** A spread in the decimals of the value that it belongs to: `.02`, `0.3`, `4`. */
export function shortSpread(spread: number, value: number): string {
  const text = spread.toFixed(decimalsOf(value));
  return Number(text) === 0 ? "0" : text.replace(/^0\./, ".");
}

/** How far ahead: `3%` below a factor of two, `2.4x` from there. */
export function lead(ratio: number): string {
  return ratio < 2 ? `${((ratio - 1) * 100).toFixed(ratio < 1.1 ? 1 : 0)}%` : `${short(ratio)}x`;
}

function decimalsOf(value: number): number {
  if (value < 9.995) return 2;
  return value < 99.95 ? 1 : 0;
}

function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, " ");
}
