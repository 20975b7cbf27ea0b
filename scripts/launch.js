#!/usr/bin/env node
/**
 * What `npx shadewalk` starts: the sources in the repository, what was compiled from them in a packed copy,
 * because Node strips no types below node_modules.
 *
 * Plain JavaScript, so that a Node too old for the rest can still say so.
 */
import { existsSync } from "node:fs";
import module from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  const advice = "start it with npx or npm run, which find the Node that was installed with it";
  process.stderr.write(`shadewalk: Node ${process.versions.node} is older than 22.18: ${advice}\n`);
  process.exit(1);
}

// Less than half the time to start, for worker threads too, which learn of it from the environment (270 to 110 ms).
// Without a place to write it is done without.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "node-compile-cache");
module.enableCompileCache(process.env["NODE_COMPILE_CACHE"]);

/**
 * The sources where there are some, else what was compiled from them.
 *
 * @param {string} name
 * @returns {Promise<unknown>}
 */
const load = (name) => {
  const source = new URL(`./${name}.ts`, import.meta.url);
  const compiled = new URL(`../dist/scripts/${name}.js`, import.meta.url);
  return import((existsSync(source) ? source : compiled).href);
};

const { beWatched, runWatched } = /** @type {typeof import("./watched-run.ts")} */ (
  await load("watched-run")
);
if (beWatched()) await load("shadewalk");
else await runWatched(fileURLToPath(import.meta.url));
