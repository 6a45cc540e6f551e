// What a reviewer says of single lines of a patch, and all of it as one text that an agent can act on.
import type { DiffLine } from "./diff";

export interface Note {
  path: string;
  /** Its number in the new file, or in the old one for a line that is gone. */
  line: number;
  isGone: boolean;
  /** The line itself, so that the note means something where the numbers have moved. */
  code: string;
  text: string;
}

/** Names a line of a patch. */
export function keyOf(path: string, line: DiffLine): string {
  return `${line.side === "old" ? "-" : "+"}${line.side === "old" ? line.old : line.new} ${path}`;
}

/** Begins a note on a line; `null` where nothing can be said, as of "no newline at end of file". */
export function noteOn(path: string, line: DiffLine): Note | null {
  const isGone = line.side === "old";
  const number = isGone ? line.old : line.new;
  return number === null ? null : { path, line: number, isGone, code: line.text.trim(), text: "" };
}

/** What is said of the whole, then of each line in the order of the patch. */
export function told(general: string, notes: Note[], paths: string[]): string {
  const place = (n: Note) => paths.indexOf(n.path);
  const sorted = notes.filter((n) => n.text.trim()).sort((a, b) => place(a) - place(b) || a.line - b.line);
  const lines = sorted.map((n) => {
    const where = `${n.path}:${n.line}${n.isGone ? " (removed)" : ""}`;
    return `${where}${n.code ? `: \`${n.code}\`` : ""}\n${indented(n.text.trim())}`;
  });
  return [general.trim(), ...lines].filter(Boolean).join("\n\n");
}

const indented = (text: string): string => text.replace(/^/gm, "    ");
