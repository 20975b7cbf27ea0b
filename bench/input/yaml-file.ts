/**
 * A YAML file checked by a zod schema, with complaints that name the line.
 *
 * zod knows what is wrong and where in the value, `yaml` knows on which line that value stands; together
 * they make one line: file, line, field, value, what is allowed.
 */
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import { z } from "zod";
import { bare, oneLine, quote } from "../../workloads/trace/quote.ts";
import { ConfigError, errorLine } from "./config-error.ts";
import { schemaWords } from "./schema-words.ts";

/** Where a value stands in a file: keys and list indices from the root. */
export type FieldPath = readonly PropertyKey[];

/** The checked value and a way to complain about a part of it in the same words. */
export interface YamlFile<T> {
  readonly value: T;
  /** A `ConfigError` that names the line of the field; the caller throws it. */
  complain(path: FieldPath, problem: string): ConfigError;
}

/**
 * `checkPresent` may complain about what stands in a file before the file is blamed for what does not: it is called
 * when fields are missing and nothing else is wrong.
 */
export function parseYamlFile<T>(
  text: string,
  file: string,
  schema: z.ZodType<T>,
  checkPresent: (present: YamlFile<unknown>) => void = () => undefined,
): YamlFile<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0]);
    throw new ConfigError(`${file}:${line}: not YAML: ${yamlWords(broken.message)}`);
  }
  const complain = (path: FieldPath, problem: string) => {
    const { line } = lines.linePos(offsetOf(document, path));
    const field = path.length === 0 ? "" : `${fieldName(path)}: `;
    return new ConfigError(`${file}:${line}: ${field}${problem}`);
  };

  const raw = plainValue(document, file);
  const parsed = schema.safeParse(raw, { error: schemaWords });
  if (parsed.success) return { value: parsed.data, complain };
  const { issues } = parsed.error;
  const wrong = issues.find(({ path }) => valueAt(raw, path) !== undefined);
  if (wrong === undefined) checkPresent({ value: raw, complain });
  const issue = wrong ?? issues[0];
  if (issue === undefined) throw new ConfigError(`${file}: not as its schema wants it`);
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    throw complain([...issue.path, key], `unknown field. ${allowedKeys(schema, issue.path)}`);
  }
  throw complain(issue.path, `${valueText(valueAt(raw, issue.path))}${issue.message}`);
}

/** Keys, lists and values; an alias of nothing, or too many of them, shows only now. */
function plainValue(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new ConfigError(`${file}: not YAML: ${yamlWords(errorLine(error))}`);
  }
}

/** The parser's complaint; what it quotes of the file is cut. */
function yamlWords(message: string): string {
  return oneLine(message.replace(/(?<=: ).*/s, (quoted) => bare(quoted)));
}

/** `workloads[2].params.pages`, as a person would write it. */
function fieldName(path: FieldPath): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${bare(String(key))}`))
    .join("")
    .replace(/^\./, "");
}

function offsetOf(document: Document, path: FieldPath): number {
  const last = path.at(-1);
  const parent: unknown = document.getIn(path.slice(0, -1), true);
  // A key's own line is better than its value's: a list or map starts on the line after.
  if (isMap(parent)) {
    const pair = parent.items.find(
      ({ key }) => isScalar(key) && String(key.value) === String(last),
    );
    if (pair !== undefined && isNode(pair.key)) return pair.key.range?.[0] ?? 0;
  }
  const node: unknown = document.getIn(path, true);
  if (isNode(node)) return node.range?.[0] ?? 0;
  // What is missing has no line, so its holder's line is named.
  return path.length === 0 ? 0 : offsetOf(document, path.slice(0, -1));
}

function valueAt(raw: unknown, path: FieldPath): unknown {
  let value = raw;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function valueText(value: unknown): string {
  if (value === undefined) return "missing: ";
  return typeof value === "object" && value !== null ? "" : `${quote(value)}: `;
}

function allowedKeys(schema: z.ZodType, path: FieldPath): string {
  let at: unknown = schema;
  for (const key of path) at = typeof key === "number" ? elementOf(at) : fieldOf(at, String(key));
  const names = Object.keys(shapeOf(at));
  return names.length === 0 ? "" : `Allowed: ${names.join(", ")}`;
}

function unwrapped(schema: unknown): unknown {
  const isWrapper =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable;
  return isWrapper ? unwrapped(schema.unwrap()) : schema;
}

function shapeOf(schema: unknown): Readonly<Record<string, unknown>> {
  const inner = unwrapped(schema);
  return inner instanceof z.ZodObject ? inner.shape : {};
}

function fieldOf(schema: unknown, key: string): unknown {
  const inner = unwrapped(schema);
  return inner instanceof z.ZodRecord ? inner.valueType : shapeOf(inner)[key];
}

function elementOf(schema: unknown): unknown {
  const inner = unwrapped(schema);
  return inner instanceof z.ZodArray ? inner.element : undefined;
}
