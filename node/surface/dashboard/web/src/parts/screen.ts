// The screen of a terminal: xterm.js, loaded when a terminal is shown first.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";

export interface Shown {
  term: Terminal;
  fit: () => void;
  dispose: () => void;
}

/** Shows a screen in `box`; `typed` and `resized` are told what a person does there. */
export function show(box: HTMLElement, typed: (text: string) => void, resized: (size: { cols: number; rows: number }) => void): Shown {
  const style = getComputedStyle(box);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const term = new Terminal({
    scrollback: 50_000,
    fontSize: 13,
    fontFamily: colour("--mono"),
    screenReaderMode: true,
    theme: { background: "#0d0f13", foreground: "#e6e8ec", cursor: "#8aa8ff" },
  });
  const fit = new FitAddon();
  term.loadAddon(fit);
  withSheets(() => term.open(box));
  fit.fit();
  term.onData(typed);
  term.onResize(resized);
  const watch = new ResizeObserver(() => fit.fit());
  watch.observe(box);
  return {
    term,
    fit: () => fit.fit(),
    dispose: () => {
      watch.disconnect();
      term.dispose();
    },
  };
}

/**
 * xterm.js writes its rules into `<style>` elements, which the policy of this site does not allow. What it asks for while
 * it opens is given a sheet of its own instead, which is made by script and needs no such right.
 */
function withSheets(open: () => void): void {
  const make = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    // Not a `<style>` at all: the policy complains of an empty one too.
    const made = make(name === "style" ? "template" : name, options);
    if (name === "style") {
      const sheet = new CSSStyleSheet();
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
      const set = (text: string | null): void => sheet.replaceSync(text ?? "");
      Object.defineProperty(made, "textContent", { get: () => "", set });
      Object.defineProperty(made, "remove", {
        value: () => {
          document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== sheet);
          Element.prototype.remove.call(made);
        },
      });
    }
    return made;
  }) as typeof document.createElement;
  try {
    open();
  } finally {
    document.createElement = make;
  }
}
