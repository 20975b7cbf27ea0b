/** For tests: the command line as a person meets it, in a process of its own. */
import { spawn } from "node:child_process";
import { join } from "node:path";

export interface Finish {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  /** Another copy of the repository. */
  readonly root?: string;
  /** Where it runs, and leaves what it writes. */
  readonly cwd?: string;
}

const repository = join(import.meta.dirname, "..");

export async function runCommand(
  args: readonly string[],
  { input = "", root = repository, cwd = process.cwd() }: CommandOptions = {},
): Promise<Finish> {
  const child = spawn(process.execPath, [join(root, "scripts/shadewalk.ts"), ...args], { cwd });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  child.stdin.end(input);
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { status, stdout, stderr };
}
