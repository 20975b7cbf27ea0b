/**
 * The fast unit in a page: its parts joined when the page is made, since the page's policy forbids to compile there.
 */
import { dirname } from "node:path";
import type { Plugin } from "esbuild";
import { unitText } from "../../machine/unit/join.ts";

/** For esbuild. */
export const joinedUnit: Plugin = {
  name: "joined unit",
  setup(build) {
    build.onLoad({ filter: /[/\\]machine[/\\]unit[/\\]assemble\.[jt]s$/ }, ({ path }) => ({
      contents: `import { outside } from "./outside.${path.slice(-2)}";
        const create = (given, imported) => { ${unitText()} };
        export const compileUnit = () => (given) => create(given, outside);`,
      resolveDir: dirname(path),
    }));
  },
};
