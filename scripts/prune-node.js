/**
 * Removes what nobody runs of the Node that came with the project: headers and manual pages, 67 of 211 MB.
 *
 * `npm ci` and `npm install` start it, in the repository and where somebody installs the package. Plain JavaScript
 * for any Node, and never a reason for an installation to fail.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";

const own = new URL("../node_modules/", import.meta.url);
/** An installed package has its dependencies beside itself. */
const beside = new URL("../../", import.meta.url);
const folders = beside.pathname.endsWith("/node_modules/") ? [own, beside] : [own];
const packages = /^node-(?:bin-)?(?:darwin|linux|win)-(?:arm64|x64)$/;
const unused = ["include", "share", "CHANGELOG.md"];

try {
  for (const folder of folders.filter((one) => existsSync(one))) {
    for (const name of readdirSync(folder).filter((one) => packages.test(one))) {
      for (const part of unused) {
        rmSync(new URL(`${name}/${part}`, folder), { recursive: true, force: true });
      }
    }
  }
} catch (error) {
  process.stderr.write(`prune-node: ${error instanceof Error ? error.message : String(error)}\n`);
}
