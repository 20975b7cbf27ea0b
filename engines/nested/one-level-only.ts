/** What a vCPU does for hybrids of shadow and nested paging (`agile`, `shsp`), which run at no level of two. */
import { assert } from "../../machine/assert.ts";
import type { KnownRoot } from "../../machine/virtual-cpu.ts";

export abstract class OneLevelOnly {
  readonly knownRoots: readonly KnownRoot[] = [];
  readonly setSwitchedRoot = refuse;
  readonly setTimer = refuse;
  readonly counted = refuse;
}

/** `nestedEngine` makes none that would ask. */
export function refuse(): never {
  assert(false, "nested: no hybrid of shadow and nested paging runs here");
}
