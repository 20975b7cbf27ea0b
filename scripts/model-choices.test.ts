import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { modelPage } from "./model-choices.ts";
import { modelPagePath, modelSources } from "./model-sources.ts";

test("docs/model.md is what the comments say now; `npm run docs:model` writes it", () => {
  const { text, problems } = modelPage(modelSources());
  expect(problems).toEqual([]);
  expect(readFileSync(modelPagePath, "utf8")).toBe(text);
});

test("a comment becomes a line under the direction that it names, with file and reason", () => {
  const { text, problems } = modelPage({
    "machine/a.ts":
      "/**\n * A part.\n *\n * Model: it has no\n * noise. Bias: for EPT, whose walks are longer.\n *\n * Source: a book.\n */\n",
  });
  expect(problems).toEqual([]);
  expect(text).toContain(
    "## Flatters EPT\n\n- It has no noise. _Bias for EPT, whose walks are longer._ [machine/a.ts](../machine/a.ts)",
  );
  expect(text).not.toContain("a book");
});

test("line comments below each other are one, strings are none", () => {
  const { text } = modelPage({
    "machine/a.ts":
      '// Model: one mean.\n// Bias: none.\nconst a = "Model: no comment. Bias: none.";\n',
  });
  expect(text.match(/^- /gm)).toHaveLength(1);
  expect(text).toContain("- One mean. [machine/a.ts]");
});

test("a comment that names no direction is a problem", () => {
  const { problems } = modelPage({ "guest/a.ts": "// Model: no disk.\n" });
  expect(problems).toEqual([
    expect.stringContaining('guest/a.ts: "Model: No disk." needs a "Bias:'),
  ]);
});
