/**
 * x86-64: software's words for an entry are its bytes.
 */
import { x86Stage } from "../stages.ts";
import type { Isa } from "./isa.ts";

const low = (bits: number): number => bits;
const high = (_low: number, bits: number): number => bits;

export const x86Isa: Isa = {
  name: "x86-64",
  levels: [4, 5],
  hasKpti: true,
  breaksBeforeMake: false,
  marks: "silicon",
  stage: x86Stage,
  leafLow: low,
  leafHigh: high,
  linkLow: low,
  linkHigh: high,
  readLow: low,
  readHigh: high,
};
