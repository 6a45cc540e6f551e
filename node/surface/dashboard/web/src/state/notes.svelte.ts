// Notes on the lines of a patch that are not sent yet. They are kept in this browser until they are, so that a page
// that is loaded again loses none; they belong to one patch, and a newer one begins without.
import type { DiffLine } from "../words/diff";
import { keyOf, noteOn, type Note } from "../words/notes";

const PREFIX = "ikigai.notes.";
/** Patches whose notes are kept; those of older ones are let go. */
const MOST = 20;

export class Notes {
  all = $state<Record<string, Note>>({});
  /** The one that is being written. */
  open = $state("");
  readonly #name: string;

  constructor(task: string, head: string) {
    this.#name = `${PREFIX}${task} ${head}`;
    this.all = stored(this.#name);
  }

  get list(): Note[] {
    return Object.values(this.all).filter((n) => n.text.trim());
  }

  /** Begins or goes on with a note on a line. */
  write(path: string, line: DiffLine): void {
    const note = noteOn(path, line);
    if (!note) return;
    const key = keyOf(path, line);
    this.all[key] ??= note;
    this.open = key;
  }

  /** Ends writing; a note without text is none. */
  close(): void {
    const note = this.all[this.open];
    if (note && !note.text.trim()) delete this.all[this.open];
    this.open = "";
    this.keep();
  }

  remove(key: string): void {
    delete this.all[key];
    if (this.open === key) this.open = "";
    this.keep();
  }

  /** All of them were sent. */
  clear(): void {
    this.all = {};
    this.open = "";
    this.keep();
  }

  keep(): void {
    if (this.list.length === 0) return localStorage.removeItem(this.#name);
    const others = Object.keys(localStorage).filter((k) => k.startsWith(PREFIX) && k !== this.#name);
    for (const old of others.slice(MOST - 1)) localStorage.removeItem(old);
    localStorage.setItem(this.#name, JSON.stringify(this.all));
  }
}

/** Notes are of no use to whoever uses this browser next, nor are they theirs. */
export function forgetNotes(): void {
  for (const name of Object.keys(localStorage)) if (name.startsWith(PREFIX)) localStorage.removeItem(name);
}

function stored(name: string): Record<string, Note> {
  try {
    return (JSON.parse(localStorage.getItem(name) ?? "{}") as Record<string, Note>) ?? {};
  } catch {
    return {};
  }
}
