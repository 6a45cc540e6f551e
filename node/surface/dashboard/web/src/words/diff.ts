// A unified diff as files, hunks and lines, for one column or two. What cannot be read is kept as text.
import { plain } from "./text";

export type Side = "both" | "old" | "new";

export interface DiffLine {
  side: Side;
  old: number | null;
  new: number | null;
  text: string;
}

export interface Hunk {
  head: string;
  lines: DiffLine[];
}

export interface DiffFile {
  path: string;
  /** Where it was, when it moved. */
  from: string;
  kind: "changed" | "added" | "removed" | "moved" | "binary" | "mode";
  hunks: Hunk[];
  additions: number;
  deletions: number;
}

/** Most lines that are read; a patch that is larger is no reading for a person. */
export const MOST = 20_000;

export interface Diff {
  files: DiffFile[];
  /** Whether there was more than `MOST`. */
  isCut: boolean;
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)$/;

export function parseDiff(text: string): Diff {
  const files: DiffFile[] = [];
  let file: DiffFile | null = null;
  let hunk: Hunk | null = null;
  let [old, fresh] = [0, 0];
  const lines = text.split("\n");
  const isCut = lines.length > MOST;
  for (const line of lines.slice(0, MOST)) {
    if (line.startsWith("diff --git ")) {
      file = begin(line);
      files.push(file);
      hunk = null;
      continue;
    }
    if (!file) continue;
    const head = HUNK.exec(line);
    if (head) {
      [old, fresh] = [Number(head[1]), Number(head[2])];
      hunk = { head: plain(head[3] ?? ""), lines: [] };
      file.hunks.push(hunk);
    } else if (!hunk) {
      describe(file, line);
    } else if (line.startsWith("+")) {
      file.additions += 1;
      hunk.lines.push({ side: "new", old: null, new: fresh++, text: plain(line.slice(1)) });
    } else if (line.startsWith("-")) {
      file.deletions += 1;
      hunk.lines.push({ side: "old", old: old++, new: null, text: plain(line.slice(1)) });
    } else if (line.startsWith(" ")) {
      hunk.lines.push({ side: "both", old: old++, new: fresh++, text: plain(line.slice(1)) });
    } else if (line.startsWith("\\")) {
      hunk.lines.push({ side: "both", old: null, new: null, text: plain(line.slice(2)) });
    }
  }
  return { files, isCut };
}

function begin(line: string): DiffFile {
  const names = line.slice("diff --git ".length);
  const half = / b\//.exec(names);
  const path = half ? names.slice(half.index + 3) : names;
  return { path: plain(path), from: "", kind: "changed", hunks: [], additions: 0, deletions: 0 };
}

function describe(file: DiffFile, line: string): void {
  if (line.startsWith("new file")) file.kind = "added";
  else if (line.startsWith("deleted file")) file.kind = "removed";
  else if (line.startsWith("rename from ")) [file.kind, file.from] = ["moved", plain(line.slice(12))];
  else if (line.startsWith("Binary files") || line.startsWith("GIT binary")) file.kind = "binary";
  else if (line.startsWith("old mode") && file.kind === "changed") file.kind = "mode";
  else if (line.startsWith("+++ b/")) file.path = plain(line.slice(6));
}

export interface Pair {
  left: DiffLine | null;
  right: DiffLine | null;
}

/** Removed and added lines beside each other. */
export function paired(lines: DiffLine[]): Pair[] {
  const pairs: Pair[] = [];
  let [olds, news]: [DiffLine[], DiffLine[]] = [[], []];
  const flush = () => {
    for (let i = 0; i < Math.max(olds.length, news.length); i++) pairs.push({ left: olds[i] ?? null, right: news[i] ?? null });
    [olds, news] = [[], []];
  };
  for (const line of lines) {
    if (line.side === "old") olds.push(line);
    else if (line.side === "new") news.push(line);
    else {
      flush();
      pairs.push({ left: line, right: line });
    }
  }
  flush();
  return pairs;
}
