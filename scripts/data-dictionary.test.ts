import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { format } from "prettier";
import { expect, test } from "vitest";
import { dataDictionary, dataPackage } from "./data-dictionary.ts";

const repository = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(repository, file), "utf8");

interface Field {
  readonly name: string;
  readonly type: string;
  readonly description: string;
}
interface Package {
  readonly resources: readonly { readonly path: string; readonly schema: { fields: Field[] } }[];
}

test("the committed dictionary is that of the code: npm run docs:data makes it", async () => {
  const options = { printWidth: 100 };
  expect(read("docs/data-dictionary.md")).toBe(
    await format(dataDictionary(), { ...options, parser: "markdown" }),
  );
  expect(read("docs/datapackage.json")).toBe(
    await format(dataPackage(), { ...options, parser: "json" }),
  );
});

// Seen failing: with `slowdown` called an integer.
test("every column of a real result is described, and holds what its type says", () => {
  const { resources } = JSON.parse(dataPackage()) as Package;
  for (const { path, schema } of resources) {
    const lines: Record<string, string>[] = parse(read(`results/reference/${path}`), {
      columns: true,
    });
    const header = Object.keys(lines[0] ?? {}).filter((name) => !name.startsWith("param_"));
    expect(schema.fields.map(({ name }) => name).toSorted()).toEqual(header.toSorted());
    for (const { name, type, description } of schema.fields) {
      expect(description.length, name).toBeGreaterThan(8);
      const cells = lines.map((line) => line[name] ?? "").filter((cell) => cell !== "");
      const isRight = {
        integer: (cell: string) => Number.isSafeInteger(Number(cell)),
        number: (cell: string) => Number.isFinite(Number(cell)),
        object: (cell: string) => typeof JSON.parse(cell) === "object",
        string: () => true,
      }[type];
      expect(
        cells.every((cell) => isRight?.(cell) ?? false),
        name,
      ).toBe(true);
    }
  }
});
