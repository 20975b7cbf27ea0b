/**
 * Numbers as people read them: three significant digits, no exponent.
 */

/** 1.42, 17.7, 177, 12,300; below a tenth two digits, 0.0034; nothing at all is 0. */
export function short(value: number): string {
  if (value === 0) return "0";
  if (value < 0.0001) return "<0.0001";
  if (value < 0.0995) return String(Number(value.toPrecision(2)));
  if (value >= 999.5) return grouped(Math.round(Number(value.toPrecision(3))));
  return value.toFixed(decimalsOf(value));
}

/** As `short`, for any number: whole ones stay whole, negative ones keep their sign, none is a dash. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Number.isInteger(value) && Math.abs(value) < 10_000) return String(value);
  return value < 0 ? `-${short(-value)}` : short(value);
}

/** Six significant digits: what a chart's data needs, without the noise behind them. */
export function rounded(value: number): number {
  return Number(value.toPrecision(6));
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
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}
