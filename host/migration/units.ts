/**
 * Bandwidths and times as people write them: `10Gbit`, `300ms`.
 */
import { ConfigError, quote } from "../../bench/input/config-error.ts";

const bandwidthUnits: Readonly<Record<string, number>> = {
  kbit: 1e3,
  mbit: 1e6,
  gbit: 1e9,
};

const timeUnits: Readonly<Record<string, number>> = {
  us: 1e-3,
  ms: 1,
  s: 1e3,
};

/** Bits per second, or a `ConfigError` whose text says what is allowed. */
export function bitsPerSecond(text: string): number {
  return quantity(text, bandwidthUnits, "10Gbit, 800Mbit or 64kbit");
}

const byteUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** Bytes: `64G` is binary, `64GB` decimal, as people mean them. */
export function bytes(text: string): number {
  return quantity(text, byteUnits, "64G, 512M or 4GB");
}

/** Bytes per second: `800MB/s`. */
export function bytesPerSecond(text: string): number {
  return quantity(text.trim().replace(/\/s$/i, ""), byteUnits, "800MB/s or 1G/s");
}

export function milliseconds(text: string): number {
  return quantity(text, timeUnits, "300ms, 50us or 1.5s");
}

function quantity(text: string, units: Readonly<Record<string, number>>, examples: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim()) ?? [];
  const factor = units[unit.toLowerCase()];
  const value = Number(digits) * (factor ?? Number.NaN);
  if (digits !== "" && Number.isFinite(value)) return value;
  throw new ConfigError(`${quote(text)}: must be a number and a unit, such as ${examples}`);
}
