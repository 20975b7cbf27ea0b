/** Writes the tables of docs/linux-guests.md from a result folder of `shadewalk bench linux`. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { readResults } from "../bench/files/read-results.ts";
import { linuxTables, withTables } from "./linux-tables.ts";

const [, , folder = "results/latest"] = process.argv;
const page = join(import.meta.dirname, "../docs/linux-guests.md");
const { points } = await readResults(folder);
const text = withTables(readFileSync(page, "utf8"), linuxTables(points));
writeFileSync(page, await format(text, { printWidth: 100, parser: "markdown" }));
