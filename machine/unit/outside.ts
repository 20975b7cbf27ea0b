/** What parts of the fast unit import from other rooms' modules: the function that they become gets it handed in. */
import { entriesPerTable } from "../address.ts";
import { assert } from "../assert.ts";
import { walkLengthMax } from "../counters.ts";
import * as format from "../formats/format.ts";
import * as subPages from "../formats/sub-pages.ts";
import { slotShift } from "../memory.ts";
import * as mmu from "../mmu.ts";
import * as pageFault from "../page-fault.ts";
import { haveOtherTables, inView } from "../stages.ts";

export const outside: Readonly<Record<string, unknown>> = together(
  format,
  subPages,
  mmu,
  pageFault,
  {
    assert,
    entriesPerTable,
    haveOtherTables,
    inView,
    slotShift,
    walkLengthMax,
  },
);

function together(...modules: readonly Readonly<Record<string, unknown>>[]) {
  const names: Record<string, unknown> = {};
  for (const [name, value] of modules.flatMap((module) => Object.entries(module))) {
    assert(!(name in names), () => `unit: two modules export ${name}`);
    names[name] = value;
  }
  return names;
}
