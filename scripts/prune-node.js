/**
 * Removes what nobody runs of the Node that came with the project: headers and manual pages, 67 of 211 MB.
 *
 * `npm ci` and `npm install` start it. Plain JavaScript for any Node, and never a reason for an installation to fail.
 */
import { readdirSync, rmSync } from "node:fs";

const modules = new URL("../node_modules/", import.meta.url);
const packages = /^node-(?:bin-)?(?:darwin|linux|win)-(?:arm64|x64)$/;
const unused = ["include", "share", "CHANGELOG.md"];

try {
  for (const name of readdirSync(modules).filter((folder) => packages.test(folder))) {
    for (const part of unused) {
      rmSync(new URL(`${name}/${part}`, modules), { recursive: true, force: true });
    }
  }
} catch (error) {
  process.stderr.write(`prune-node: ${error instanceof Error ? error.message : String(error)}\n`);
}
