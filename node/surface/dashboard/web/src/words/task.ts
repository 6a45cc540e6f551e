// What a task's state means to a person: where it stands on the board, how it looks, whether somebody must act.
import type { Attempt, Task } from "../api/types";

/** The columns of the board. */
export type Column = "waiting" | "working" | "checking" | "review" | "done" | "failed";

export const COLUMNS: { id: Column; name: string }[] = [
  { id: "waiting", name: "Waiting" },
  { id: "working", name: "Working" },
  { id: "checking", name: "Checking" },
  { id: "review", name: "Review" },
  { id: "failed", name: "Failed" },
  { id: "done", name: "Done" },
];

const COLUMN: Record<string, Column> = {
  queued: "waiting",
  placing: "waiting",
  waiting: "waiting",
  paused: "waiting",
  preparing: "working",
  running: "working",
  verifying: "checking",
  review: "review",
  accepted: "done",
  rejected: "done",
  cancelled: "done",
  failed: "failed",
  lost: "failed",
};

export const columnOf = (task: Task): Column => COLUMN[task.state] ?? "waiting";

/** Nothing more happens to it by itself. */
export const isOver = (task: Task): boolean => ["accepted", "rejected", "cancelled"].includes(task.state);
export const isFailed = (task: Task): boolean => columnOf(task) === "failed";

/** The state in words: `waiting for a dependency`. */
export function stateWords(state: string, reason?: string | null): string {
  return reason ? `${state} · ${reason}` : state;
}

/** Its owner does not answer: what stands here was heard before, and nobody moves it. */
export const isOrphan = (task: Task): boolean => task.why?.cause === "owner-gone";

/** Why a person is needed, if one is. */
export type Need = "owner" | "review" | "question" | "paused" | "failed" | "budget" | "quota" | "credential";

export function needOf(task: Task): Need | null {
  if (isOrphan(task)) return isOver(task) ? null : "owner";
  if (task.state === "review") return "review";
  if (isFailed(task)) return "failed";
  if (task.state === "paused") return "paused";
  if (task.state === "waiting") {
    if (task.reason === "human") return "question";
    if (task.reason === "budget" || task.reason === "quota" || task.reason === "credential") return task.reason;
  }
  return null;
}

/** Ids whose numbers are filled up with zeros, so that T10 comes after T9; made once for each. */
const sortable = new Map<string, string>();

function sortableOf(id: string): string {
  let made = sortable.get(id);
  if (made === undefined) {
    made = id.replace(/\d+/g, (digits) => digits.padStart(9, "0"));
    sortable.set(id, made);
  }
  return made;
}

export function byId(a: Task, b: Task): number {
  const [x, y] = [sortableOf(a.id), sortableOf(b.id)];
  return x < y ? -1 : x > y ? 1 : 0;
}
export const byChange = (a: Task, b: Task): number => b.updatedAt - a.updatedAt;

/** The attempt that counts: the newest. */
export const lastAttempt = (task: Task): Attempt | undefined => task.attempts.at(-1);

/** The attempt whose agent is there. */
export const liveAttempt = (task: Task): Attempt | undefined => task.attempts.find((a) => a.phase !== "ended");

/** Words a person searches for: every one must be in it somewhere. */
export function fits(task: Task, words: string[]): boolean {
  if (words.length === 0) return true;
  const text = `${task.short} ${task.title} ${task.feature} ${task.state} ${task.reason ?? ""}`.toLowerCase();
  return words.every((w) => text.includes(w));
}

export const wordsIn = (text: string): string[] => text.toLowerCase().split(/\s+/).filter(Boolean);

/** What can be done to a task now, by the published table of states. */
export function can(task: Task): Record<"adopt" | "stop" | "pause" | "resume" | "retry" | "accept" | "reject" | "evict" | "open", boolean> {
  // Nothing but that can be done to a task whose owner is gone.
  const adopt = isOrphan(task) && !isOver(task);
  const s = isOrphan(task) ? "" : task.state;
  const moves = ["queued", "placing", "preparing", "running", "waiting"].includes(s);
  return {
    adopt,
    stop: s !== "" && !isOver(task),
    pause: moves,
    resume: s === "paused",
    retry: ["failed", "lost", "rejected", "cancelled"].includes(s),
    accept: s === "review",
    reject: s === "review",
    evict: ["preparing", "running"].includes(s),
    // An agent may stay for its editor after its attempt has ended; the node knows.
    open: s !== "" && task.attempts.length > 0,
  };
}

/** The first eight digits: enough for a person. */
export const shortId = (id: string | null | undefined): string => (id ?? "").slice(0, 8);

/** The last part of a path. */
export const folderName = (path: string): string => path.split("/").filter(Boolean).at(-1) ?? path;
