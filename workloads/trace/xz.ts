/**
 * Decodes .xz: by the xz tool where there is one, otherwise by a library.
 *
 * Node has no decoder. The library, which is XZ Embedded as WebAssembly, gives the same bytes and is always there, but
 * decodes fewer lines a second than the parser reads (`npm run speed -- traces`); the tool does it on another
 * processor.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline, Readable, type Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { ReadableStream } from "node:stream/web";
import xz from "xz-decompress";

type Pieces = AsyncIterable<Uint8Array>;
type Tool = ChildProcessByStdio<Writable, Readable, Readable>;

/** The decoded bytes of `pieces`. Throws an error whose message says in few words what is wrong with them. */
export async function* decodeXz(pieces: Pieces): Pieces {
  const tool = await startTool("xz");
  yield* tool === null ? byLibrary(pieces) : byTool(tool, pieces);
}

/** The running tool, or null where it is not installed. */
export async function startTool(name: string): Promise<Tool | null> {
  const tool = spawn(name, ["--decompress", "--stdout"], { stdio: ["pipe", "pipe", "pipe"] });
  try {
    await once(tool, "spawn");
    return tool;
  } catch {
    return null;
  }
}

/** Exported for the test that holds both ways against each other. */
export async function* byTool(tool: Tool, pieces: Pieces): Pieces {
  const exit = once(tool, "close");
  const complaint = text(tool.stderr);
  let failure: Error | null = null;
  // A tool that gives up closes its input first; what it says counts, not the broken pipe.
  pipeline(Readable.from(pieces, { objectMode: false }), tool.stdin, (error) => {
    if (error !== null && error !== undefined && !isBrokenPipe(error)) failure = error;
  });
  try {
    for await (const piece of tool.stdout) yield piece as Uint8Array;
    const [status] = (await exit) as [number | null];
    if (failure !== null) throw failure as Error;
    if (status !== 0) throw new Error(reasonIn(await complaint));
  } finally {
    tool.kill();
  }
}

function isBrokenPipe(error: NodeJS.ErrnoException): boolean {
  return error.code === "EPIPE" || error.code === "ERR_STREAM_PREMATURE_CLOSE";
}

function reasonIn(complaint: string): string {
  return complaint.includes("Unexpected end of input") ? unexpectedEnd : damaged;
}

const unexpectedEnd = "unexpected end of file";
const damaged = "damaged";

export async function* byLibrary(pieces: Pieces): Pieces {
  const source = ReadableStream.from(pieces);
  try {
    // The package is typed against the browser's streams, which Node's equal but for their declaration.
    const decoded: Pieces = new xz.XzReadableStream(source as never);
    yield* decoded;
  } catch (error) {
    // It has numbers only (enum xz_ret of XZ Embedded): 8 is input that ends early.
    const code = /failed with error code (\d)$/.exec(error instanceof Error ? error.message : "");
    if (code === null) throw error;
    throw new Error(code[1] === "8" ? unexpectedEnd : damaged);
  }
}
