// Keys: single letters where nobody types, and what `?` lists. `g` and a letter goes to a page.
import { untrack } from "svelte";
import { go } from "./route.svelte";

export interface Shortcut {
  keys: string;
  words: string;
  run: () => void;
}

export const shown = $state({ palette: false, keys: false });

const pages: [string, string, string][] = [
  ["n", "Now", "/now"],
  ["b", "Board", "/tasks"],
  ["r", "Review", "/review"],
  ["f", "Features", "/features"],
  ["a", "Agents", "/agents"],
  ["o", "Nodes", "/nodes"],
  ["p", "Spec", "/spec"],
  ["c", "Access", "/access"],
  ["s", "Settings", "/settings"],
];

export const everywhere: Shortcut[] = [
  { keys: "?", words: "Show these keys", run: () => (shown.keys = !shown.keys) },
  { keys: "Ctrl K", words: "Command palette", run: () => (shown.palette = !shown.palette) },
  ...pages.map(([k, words, path]) => ({ keys: `g ${k}`, words: `Go to ${words}`, run: () => go(path) })),
];

// Those of the page that is shown.
let ofPage = $state.raw<Shortcut[]>([]);
export const page = {
  get all(): Shortcut[] {
    return ofPage;
  },
};

/** Adds keys while a page is shown; call what it answers when it goes. */
export function bind(shortcuts: Shortcut[]): () => void {
  // Called in effects, which must not run again because of what they write here.
  ofPage = [...untrack(() => ofPage), ...shortcuts];
  return () => {
    ofPage = untrack(() => ofPage).filter((s) => !shortcuts.includes(s));
  };
}

let before = "";
let beforeAt = 0;

/** One key that was pressed anywhere. */
export function onKey(event: KeyboardEvent): void {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    shown.palette = !shown.palette;
    return;
  }
  const target = event.target as HTMLElement | null;
  const types = target?.closest?.("input, textarea, select, [contenteditable]");
  if (types || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const pressed = Date.now() - beforeAt < 1000 && before === "g" ? `g ${event.key}` : event.key;
  before = event.key;
  beforeAt = Date.now();
  const found = [...ofPage, ...everywhere].find((s) => s.keys === pressed);
  if (found) {
    event.preventDefault();
    before = "";
    found.run();
  }
}
