/**
 * What the operating system's refusals mean to somebody who named a file to read.
 */

const meanings: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  // A file stands where a folder would have to be.
  ENOTDIR: "no such file",
  ENAMETOOLONG: "no such file",
  EISDIR: "is a folder, must be a file",
  EACCES: "may not be read",
};

/** In a few words; null for an error that is not the operating system's. */
export function refusalText(error: unknown): string | null {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return null;
  return meanings[String(error.code)] ?? error.message;
}
