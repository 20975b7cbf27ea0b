/**
 * Light or dark: the reader's system decides until the reader does.
 */
import { choice } from "./dom.ts";

export type Scheme = "light" | "dark";

const system = window.matchMedia("(prefers-color-scheme: dark)");

export function currentScheme(): Scheme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** Puts the switch into `place`; `onChange` runs whenever the scheme may have changed. */
export function themeSwitch(place: HTMLElement, onChange: () => void): void {
  const names = [
    ["system", "as the system"],
    ["light", "light"],
    ["dark", "dark"],
  ] as const;
  const theme = choice("Colours", names, () => {
    document.documentElement.dataset["theme"] = theme.value();
    onChange();
  });
  place.append(theme.field);
  system.addEventListener("change", onChange);
}
