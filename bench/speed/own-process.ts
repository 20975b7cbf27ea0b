/** Measurements that need a process of their own: no other engine has left its mark on the compiled code. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { codeUrl } from "../code-url.ts";
import { EnvironmentError } from "../input/config-error.ts";

/** Runs the file with these arguments and returns the JSON that it prints. */
export function runAlone(file: URL, args: readonly string[]): unknown {
  const path = fileURLToPath(codeUrl(file));
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], {
    encoding: "utf8",
  });
  if (status !== 0) throw new EnvironmentError(`speed: a process of its own failed: ${stderr}`);
  return JSON.parse(stdout) as unknown;
}
