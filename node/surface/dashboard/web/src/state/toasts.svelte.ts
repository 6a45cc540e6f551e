// Short news at the edge of the page: what was done, what failed and what to do about it.
import { wordsOf } from "../api/call";

export interface Toast {
  id: number;
  kind: "good" | "bad";
  message: string;
  hint: string;
}

/** Most that are shown. */
const MOST = 4;
const LIFE = { good: 4_000, bad: 12_000 };
let last = 0;

export const toasts = $state<{ all: Toast[] }>({ all: [] });

export function close(id: number): void {
  toasts.all = toasts.all.filter((t) => t.id !== id);
}

function show(kind: Toast["kind"], message: string, hint: string): void {
  const id = ++last;
  toasts.all = [...toasts.all, { id, kind, message, hint }].slice(-MOST);
  setTimeout(() => close(id), LIFE[kind]);
}

export const say = (message: string): void => show("good", message, "");

export function complain(error: unknown): void {
  const { message, hint } = wordsOf(error);
  show("bad", message, hint);
}
