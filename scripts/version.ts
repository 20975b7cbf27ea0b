/** The version in package.json, which lies one folder further up from what was compiled. */
import { existsSync, readFileSync } from "node:fs";

export function packageVersion(): string {
  const places = ["../package.json", "../../package.json"].map(
    (place) => new URL(place, import.meta.url),
  );
  const found = places.find((place) => existsSync(place));
  if (found === undefined) return "unknown";
  const { version } = JSON.parse(readFileSync(found, "utf8")) as { readonly version: string };
  return version;
}
