/**
 * Elements from code. Text goes in as text nodes, so no name from a file can become markup.
 */
type Attributes = Readonly<Record<string, string | number | boolean>>;
type Child = Node | string;

/** An element with attributes (a false one is left out) and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/** As `element`, of a picture. */
export function drawn(
  tag: "svg" | "g" | "path" | "circle" | "line" | "text" | "title",
  attributes: Attributes,
  ...children: readonly Child[]
): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/** The element with this id, which the page always has. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`page: no element #${id}`);
  return found;
}

export interface Choice {
  readonly field: HTMLElement;
  readonly value: () => string;
  /** Chooses without running `onChange`; a value that there is not is passed over. */
  readonly choose: (value: string | undefined) => void;
}

let fields = 0;

/** A control under its name. */
export function labelled(name: string, control: HTMLElement): HTMLElement {
  fields += 1;
  control.id = `field-${fields}`;
  const label = element("label", { for: control.id }, name);
  return element("div", { class: "field" }, label, control);
}

/** A labelled list to choose one of; `onChange` runs at each choice. */
export function choice(
  name: string,
  options: readonly (readonly [value: string, text: string])[],
  onChange: () => void,
): Choice {
  const select = element(
    "select",
    {},
    ...options.map(([value, text]) => element("option", { value }, text)),
  );
  select.addEventListener("change", onChange);
  return {
    field: labelled(name, select),
    value: () => select.value,
    choose: (value) => {
      if (value !== undefined && options.some(([one]) => one === value)) select.value = value;
    },
  };
}

/** Saves text as a file, without any server. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

export function button(text: string, onClick: () => void): HTMLButtonElement {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", onClick);
  return made;
}

/**
 * A box that scrolls sideways by itself, reachable by keyboard and named for whoever listens. A group: a region would be a
 * landmark, and those must differ in name, while one figure may stand under several claims.
 */
export function scrollBox(label: string, ...children: readonly Child[]): HTMLElement {
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": label },
    ...children,
  );
}
