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

const source = new URL("./shadewalk.ts", import.meta.url);
const compiled = new URL("../dist/scripts/shadewalk.js", import.meta.url);
await import((existsSync(source) ? source : compiled).href);
