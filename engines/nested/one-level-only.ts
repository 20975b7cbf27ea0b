/** What a vCPU does for hybrids (`agile`, `shsp`, `shsp-process`) and for other ISAs than x86-64, which run at no level of two. */
import { assert } from "../../machine/assert.ts";

export abstract class OneLevelOnly {
  readonly setSwitchedRoot = refuse;
  readonly setTimer = refuse;
  readonly counted = refuse;
  readonly fence = refuse;
}

/** `nestedEngine` makes none that would ask. */
export function refuse(): never {
  assert(false, "nested: neither hybrids nor other ISAs run here");
}
