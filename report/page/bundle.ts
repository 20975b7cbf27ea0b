/**
 * The programs of the page: ours, bundled from its sources, and Vega's minified builds as they ship.
 *
 * The walk explorer's part of the bundle is the simulator itself: machine, guest and engines, no copy.
 */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { joinedUnit } from "../explorer/joined-unit.ts";

/** Not in the packages' lists of exports, so found beside what is. */
const libraries = ["vega", "vega-lite", "vega-embed"];

export interface Programs {
  /** In the order in which they must run. */
  readonly scripts: readonly string[];
  readonly style: string;
}

export async function programs(): Promise<Programs> {
  const builds = libraries.map(async (name) => {
    const folder = packageFolder(name);
    const text = await readFile(join(folder, "build", `${name}.min.js`), "utf8");
    // The browser would look for the map beside the page.
    return text.replaceAll(/^\/\/# sourceMappingURL=.*$/gm, "");
  });
  return {
    scripts: [...(await Promise.all(builds)), await ownProgram()],
    style: (await Promise.all(styleFiles.map(styleText))).join("\n"),
  };
}

const styleFiles = ["page.css", "sections.css"];

function styleText(name: string): Promise<string> {
  return readFile(new URL(`./${name}`, import.meta.url), "utf8");
}

function packageFolder(name: string): string {
  let folder = fileURLToPath(new URL(".", import.meta.resolve(name)));
  while (basename(folder) !== name) folder = join(folder, "..");
  return folder;
}

async function ownProgram(): Promise<string> {
  const source = new URL("./browser/main.ts", import.meta.url);
  // A packed copy has JavaScript where the repository has TypeScript.
  const isSource = import.meta.url.endsWith(".ts");
  const entry = isSource ? source : new URL("./browser/main.js", import.meta.url);
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    write: false,
    format: "iife",
    minify: true,
    charset: "utf8",
    target: ["chrome120", "firefox121", "safari17.4"],
    legalComments: "none",
    logLevel: "silent",
    plugins: [joinedUnit],
  });
  return outputFiles.map(({ text }) => text).join("");
}
