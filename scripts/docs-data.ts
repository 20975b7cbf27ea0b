/** Writes docs/data-dictionary.md and docs/datapackage.json. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { dataDictionary, dataPackage } from "./data-dictionary.ts";

const docs = join(import.meta.dirname, "../docs");
const options = { printWidth: 100 } as const;
const page = await format(dataDictionary(), { ...options, parser: "markdown" });
writeFileSync(join(docs, "data-dictionary.md"), page);
writeFileSync(
  join(docs, "datapackage.json"),
  await format(dataPackage(), { ...options, parser: "json" }),
);
