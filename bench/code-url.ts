/**
 * Where a code file of this program lies while it runs: `x.ts` in the repository, `x.js` in a packed copy.
 *
 * The compiler rewrites imports but not `new URL("./x.ts", import.meta.url)`, by which worker threads and
 * further instances of a module are named. Write that, and pass it through here.
 */
export function codeUrl(source: URL): URL {
  if (import.meta.url.endsWith(".ts")) return source;
  const url = new URL(source);
  url.pathname = url.pathname.replace(/\.ts$/, ".js");
  return url;
}
