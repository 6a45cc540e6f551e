// Text of agents, made safe to look at: no escape sequences, and what would reorder or hide letters is shown.

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// Controls but tab, directional overrides, zero-width letters.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;

/** One line as it may be shown. */
export function plain(text: string): string {
  const bare = text.includes("\u001b") ? text.replace(ESCAPES, "") : text;
  return bare.replace(HIDDEN, (c) => `\u2423${c.codePointAt(0)?.toString(16).padStart(2, "0")}\u2423`);
}

/** What a terminal would show of a line that was written over: the part after the last carriage return. */
export function lastWritten(text: string): string {
  const bare = text.endsWith("\r") ? text.slice(0, -1) : text;
  const at = bare.lastIndexOf("\r");
  return at < 0 ? bare : bare.slice(at + 1);
}
