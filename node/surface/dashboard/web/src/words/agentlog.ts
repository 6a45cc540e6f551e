// Lines of an agent CLI as rows a person reads: what it said, what it ran, what came out. What is no known record
// is shown as it is.
import type { LogEntry } from "../api/types";
import { lastWritten, plain } from "./text";

export type RowKind = "out" | "error" | "system" | "gap" | "said" | "ran" | "result" | "bad" | "quiet";

/** One row of the log: of fixed height, so that a hundred thousand of them cost nothing. */
export interface Row {
  n: number;
  at: number;
  kind: RowKind;
  text: string;
  /** A further row of the one before. */
  isMore: boolean;
}

interface Item {
  type?: string;
  text?: string;
  command?: string;
  aggregated_output?: string;
  exit_code?: number | null;
  message?: string;
  changes?: { path?: string; kind?: string }[];
  query?: string;
  server?: string;
  tool?: string;
}

interface Line {
  type?: string;
  item?: Item;
  message?: string;
  error?: { message?: string };
}

const STREAMS: Record<string, RowKind> = { stdout: "out", stderr: "error", system: "system", gap: "gap" };

/** The rows of one entry; `raw` shows every line as it came. */
export function rowsOf(entry: LogEntry, raw: boolean): Row[] {
  const kind = STREAMS[entry.stream] ?? "out";
  if (kind === "gap") return rows(entry, "gap", `${entry.text} lines are missing here`);
  if (raw || kind !== "out" || !entry.text.startsWith("{")) return rows(entry, kind, entry.text);
  return told(entry) ?? rows(entry, kind, entry.text);
}

function rows(entry: LogEntry, kind: RowKind, text: string): Row[] {
  const lines = text.replace(/\n+$/, "").split("\n");
  return lines.map((line, i) => ({ n: entry.n, at: entry.at, kind, text: plain(lastWritten(line)), isMore: i > 0 }));
}

/** A record of the Codex CLI; `null` when it is none. */
function told(entry: LogEntry): Row[] | null {
  let line: Line;
  try {
    line = JSON.parse(entry.text) as Line;
  } catch {
    return null;
  }
  switch (line.type) {
    case "thread.started":
      return rows(entry, "quiet", "the agent begins");
    case "turn.started":
    case "turn.completed":
    case "item.updated":
      return [];
    case "turn.failed":
    case "error":
      return rows(entry, "bad", String(line.error?.message ?? line.message ?? "the agent reports an error"));
    case "item.started":
      return line.item?.type === "command_execution" ? rows(entry, "ran", `$ ${unwrapped(line.item.command)}`) : [];
    case "item.completed":
      return line.item ? item(entry, line.item) : null;
    default:
      return null;
  }
}

function item(entry: LogEntry, item: Item): Row[] | null {
  switch (item.type) {
    case "command_execution": {
      const failed = item.exit_code !== 0 && item.exit_code !== null && item.exit_code !== undefined;
      const output = item.aggregated_output ? rows(entry, "result", String(item.aggregated_output)) : [];
      return failed ? [...output, ...rows(entry, "bad", `exited with ${item.exit_code}`)] : output;
    }
    case "agent_message":
    case "reasoning":
      return rows(entry, item.type === "reasoning" ? "quiet" : "said", String(item.text ?? ""));
    case "file_change":
      return (item.changes ?? []).flatMap((c) => rows(entry, "ran", `${c.kind ?? "changed"} ${c.path ?? ""}`));
    case "error":
      return rows(entry, "bad", String(item.message ?? ""));
    case "web_search":
      return rows(entry, "ran", `searched for ${item.query ?? ""}`);
    case "mcp_tool_call":
      return rows(entry, "ran", `${item.server ?? ""} ${item.tool ?? ""}`);
    default:
      return null;
  }
}

/** `/bin/bash -lc "x"` is `x`. */
function unwrapped(command: string | undefined): string {
  const text = String(command ?? "");
  const found = /^\/bin\/(?:ba)?sh -l?c (["'])([\s\S]*)\1$/.exec(text);
  if (!found) return text;
  return found[1] === '"' ? (found[2] ?? "").replace(/\\(["\\$`])/g, "$1") : (found[2] ?? "");
}
