/**
 * What the reader has chosen, in the page's address: `#walk?engine=ept&step=12` shows just that to whoever gets the link.
 */
type State = ReadonlyMap<string, string>;

interface Place {
  /** A section's id. */
  readonly id: string;
  readonly state: State;
}

/** The address behind the hash: a section, and what is chosen in it. */
function readAddressPlace(hash: string): Place {
  const [id = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  return { id, state: new Map(new URLSearchParams(query)) };
}

function addressOf(id: string, state: State): string {
  const query = new URLSearchParams([...state]).toString();
  return `#${id}${query === "" ? "" : `?${query}`}`;
}

/** Choices of one section, as the address has them at the start and gets them later. */
export interface SectionState {
  readonly get: (name: string) => string | undefined;
  /** Leaves out what is undefined; never scrolls. */
  readonly set: (state: Readonly<Record<string, string | undefined>>) => void;
}

export function sectionState(id: string): SectionState {
  const { state } = readAddressPlace(window.location.hash);
  const isHere = readAddressPlace(window.location.hash).id === id;
  return {
    get: (name) => (isHere ? state.get(name) : undefined),
    set: (chosen) => {
      const pairs = Object.entries(chosen).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value] as const],
      );
      window.history.replaceState(null, "", addressOf(id, new Map(pairs)));
    },
  };
}

/** Opens and shows what the address names; the browser finds no id with a question mark behind it. */
export function followAddress(): void {
  const show = () => {
    const { id } = readAddressPlace(window.location.hash);
    const found = id === "" ? null : document.getElementById(id);
    if (found === null) return;
    if (found instanceof HTMLDetailsElement) found.open = true;
    found.scrollIntoView();
  };
  window.addEventListener("hashchange", show);
  show();
}
