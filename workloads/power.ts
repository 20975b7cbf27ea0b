/**
 * x to a real power, the same to the last bit on every platform.
 *
 * `Math.pow` may differ between engines and versions, and a table of Zipf weights built with it would make
 * results differ too. Additions, multiplications and divisions are exact by IEEE 754, so series are used.
 */

const ln2 = 0.6931471805599453;
/** Terms of the series; the largest argument below leaves errors under 1e-15. */
const termsMax = 24;

/** Natural logarithm of a positive number. */
function naturalLog(x: number): number {
  let mantissa = x;
  let exponent = 0;
  for (; mantissa >= 1.5; mantissa /= 2) exponent += 1;
  for (; mantissa < 0.75; mantissa *= 2) exponent -= 1;
  // ln m = 2 atanh((m - 1) / (m + 1)), and the quotient is at most 1/5.
  const quotient = (mantissa - 1) / (mantissa + 1);
  const square = quotient * quotient;
  let sum = 0;
  let power = quotient;
  for (let term = 0; term < termsMax; term++) {
    sum += power / (2 * term + 1);
    power *= square;
  }
  return 2 * sum + exponent * ln2;
}

function exponential(x: number): number {
  const halvings = Math.floor(x / ln2 + 0.5);
  const rest = x - halvings * ln2;
  let sum = 1;
  let power = 1;
  for (let term = 1; term < termsMax; term++) {
    power *= rest / term;
    sum += power;
  }
  let scale = 1;
  const factor = halvings < 0 ? 0.5 : 2;
  for (let i = 0; i < Math.abs(halvings); i++) scale *= factor;
  return sum * scale;
}

/** `base` to the power `exponent`, for a positive base. */
export function realPower(base: number, exponent: number): number {
  return exponential(exponent * naturalLog(base));
}
