// What a person does to tasks and nodes. What an answer says of a task is shown at once.
import { once, post } from "../api/call";
import type { EditorLink, Node, Task } from "../api/types";
import { live, put } from "./live.svelte";
import { complain, say } from "./toasts.svelte";

export const busy = $state<{ with: string }>({ with: "" });

/** Does one thing; a second press while it is done does nothing. Answers whether it worked. */
async function doing(what: string, act: () => Promise<string>): Promise<boolean> {
  if (busy.with) return false;
  busy.with = what;
  try {
    say(await act());
    return true;
  } catch (error) {
    complain(error);
    return false;
  } finally {
    busy.with = "";
  }
}

const DONE: Record<string, string> = {
  stop: "is cancelled",
  pause: "is paused",
  resume: "goes on",
  retry: "gets another attempt",
  evict: "is taken off its node and placed again",
  accept: "is accepted: it is merged now",
  reject: "is rejected",
  comment: "has your comment",
  adopt: "is owned by this node now",
};

/** Sends a command to a task. */
export function act(task: Task, command: string, fields: Record<string, unknown> = {}): Promise<boolean> {
  return doing(`${command} ${task.id}`, async () => {
    put([await post<Task>(`/v1/tasks/${encodeURIComponent(task.id)}/${command}`, fields, once())]);
    return `${task.short} ${DONE[command] ?? "is changed"}`;
  });
}

/** Sends a command to a node. */
export function steer(node: Node, command: "cordon" | "uncordon" | "drain", fields: Record<string, unknown> = {}): Promise<boolean> {
  const done = { cordon: "takes no new work", uncordon: "takes work again", drain: "is drained: its agents are placed elsewhere" };
  return doing(`${command} ${node.id}`, async () => {
    const changed = await post<Node>(`/v1/nodes/${encodeURIComponent(node.id)}/${command}`, fields);
    live.nodes = live.nodes.map((n) => (n.id === changed.id ? changed : n));
    return `${node.name} ${done[command]}`;
  });
}

/** Opens the editor of a task's agent in a tab of its own; the link works once. */
export async function openEditor(task: Task): Promise<void> {
  // Opened while the press is still a press, or the browser holds it back.
  const tab = window.open("about:blank", "_blank");
  const worked = await doing(`open ${task.id}`, async () => {
    const link = await post<EditorLink>(`/v1/tasks/${encodeURIComponent(task.id)}/open`);
    const url = new URL(link.url);
    if (!["http:", "https:"].includes(url.protocol) || url.origin === location.origin) throw new Error("the link leads to no editor");
    if (!tab) throw new Error("the browser does not let this page open a tab");
    tab.opener = null;
    tab.location.replace(url);
    return `the editor of ${task.short} opens`;
  });
  if (!worked) tab?.close();
}
