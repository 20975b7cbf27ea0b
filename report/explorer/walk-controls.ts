/**
 * Everything that decides a walk, as fields to choose from.
 */
import { hostPageSizes, pageSizeWords, type PagingLevels } from "../../machine/address.ts";
import type { SectionState } from "../page/browser/address.ts";
import { choice, element, labelled } from "../page/browser/dom.ts";
import { readAddress, type WalkOptions } from "./walk.ts";
import { engineNames, type PageSize, presetNames } from "./world.ts";

const guestSizes = [
  ["4k", pageSizeWords["4k"]],
  ["2m", pageSizeWords["2m"]],
] as const;
const depths = [
  ["4", "4"],
  ["5", "5"],
] as const;
const warmths = [
  ["nothing", "nothing: cold"],
  ["neighbour", "the walk of the next page"],
  ["page", "this page"],
] as const;

/** `options` is null while the address is none; `chosen` is what a link must say. */
export function walkControls(state: SectionState, onChange: () => void) {
  const named = (names: readonly string[]) => names.map((name) => [name, name] as const);
  const others = engineNames.filter((name) => name !== "ept");
  const fields = {
    engine: choice("Engine", named(["ept", ...others]), onChange),
    processor: choice("Processor", named(presetNames), onChange),
    levels: choice("Guest levels", depths, onChange),
    nested: choice("Nested levels", depths, onChange),
    pages: choice("Guest pages", guestSizes, onChange),
    backing: choice(
      "Host pages",
      hostPageSizes.map((size) => [size, pageSizeWords[size]]),
      onChange,
    ),
    caches: choice("Caches know", warmths, onChange),
  };
  for (const [name, field] of Object.entries(fields)) field.choose(state.get(name));
  const defaultAddress = "0x400000";
  const address = element("input", {
    value: state.get("address") ?? defaultAddress,
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": "address-problem",
  });
  address.addEventListener("change", onChange);
  const problem = element("span", { id: "address-problem", class: "problem", role: "alert" });
  const levels = () => ({
    guestLevels: depth(fields.levels.value()),
    nestedLevels: depth(fields.nested.value()),
  });

  function options(): WalkOptions | null {
    const where = { ...levels(), pages: pageSize(fields.pages.value()) };
    const read = readAddress(address.value, where);
    const isWrong = "problem" in read;
    problem.textContent = isWrong ? `The address ${read.problem}.` : "";
    address.setAttribute("aria-invalid", String(isWrong));
    if (isWrong) return null;
    return {
      ...read,
      ...where,
      engine: fields.engine.value(),
      preset: fields.processor.value(),
      backing: hostPageSizes.find((size) => size === fields.backing.value()) ?? "4k",
      warmth: warmths.find(([name]) => name === fields.caches.value())?.[0] ?? "nothing",
    };
  }
  const field = element(
    "div",
    { class: "pickers" },
    ...Object.values(fields).map((one) => one.field),
    labelled("Address (GVA)", address),
    problem,
  );
  const chosen = () => ({
    ...Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.value()])),
    address: address.value,
  });
  return { field, options, levels, chosen };
}

function depth(text: string): PagingLevels {
  return text === "5" ? 5 : 4;
}

function pageSize(text: string): PageSize {
  return text === "2m" ? "2m" : "4k";
}
