/**
 * Makes functions of the fast unit's text.
 *
 * V8 folds a closure's arrays and constants into its code as long as the function around it has run once: code that
 * two units share is three times slower and more (L1 hit 6.6 to 25.7 ns, 2D walk 139 to 453). So a unit can get a
 * function with a text of its own, which is collected with it. The parts are ordinary modules: typed, linted, searched.
 *
 * A page may compile nothing: where one is bundled, a module with the text in it stands in place of this one.
 */
import type { Given, Unit } from "./given.ts";
import { unitText } from "./join.ts";
import { keptText } from "./kept-text.ts";
import { outside } from "./outside.ts";

/** Makes a unit for a memory, a processor and a list of stages. */
export type UnitFactory = (given: Given) => Unit;

let joined: string | undefined;
let compiled = 0;

/** The factory of units that share their code with no others. */
export function compileUnit(): UnitFactory {
  joined ??= keptText(JSON.stringify(Object.entries(outside)), unitText);
  compiled += 1;
  // Functions of the same text would share their code.
  const text = `${joined}\n// ${compiled}\n//# sourceURL=machine/unit/${compiled}`;
  // oxlint-disable-next-line typescript/no-implied-eval -- the text is that of the files beside this one
  const create = new Function("given", "imported", text) as (
    given: Given,
    imported: typeof outside,
  ) => Unit;
  return (given) => create(given, outside);
}
