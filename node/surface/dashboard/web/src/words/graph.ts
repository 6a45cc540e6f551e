// The tasks of a feature as a graph: waves from left to right, rows that cross little, and the longest way to the end.
import type { Task } from "../api/types";
import { byId, isOver } from "./task";

export interface Place {
  task: Task;
  wave: number;
  row: number;
  /** On the longest chain of what is still to do. */
  isCritical: boolean;
}

export interface Edge {
  from: Place;
  to: Place;
  isCritical: boolean;
  isDone: boolean;
}

export interface Graph {
  places: Place[];
  edges: Edge[];
  waves: number;
  rows: number;
  /** Tasks on the longest chain of what is still to do, first to last. */
  critical: Task[];
}

/** Lays out `tasks`; what they wait for outside of them is left out, and so is a circle. */
export function layOut(tasks: Task[]): Graph {
  const known = new Map(tasks.map((t) => [t.id, t]));
  const before = (t: Task) => t.dependsOn.map((id) => known.get(id)).filter((d) => d !== undefined);
  const waves = depths(tasks, before);
  const direct = (t: Task) => withoutIndirect(t, before);
  const critical = longest(tasks, before);
  const rows = rowsOf(tasks, waves, direct);
  const places = tasks.map((task) => ({
    task,
    wave: waves.get(task.id) ?? 0,
    row: rows.get(task.id) ?? 0,
    isCritical: critical.includes(task),
  }));
  const at = new Map(places.map((p) => [p.task.id, p]));
  const edges = places.flatMap((to) => direct(to.task).flatMap((d) => edge(at.get(d.id), to)));
  const most = (of: (p: Place) => number) => places.reduce((m, p) => Math.max(m, of(p) + 1), 0);
  return { places, edges, waves: most((p) => p.wave), rows: most((p) => p.row), critical };
}

function edge(from: Place | undefined, to: Place): Edge[] {
  if (!from) return [];
  return [{ from, to, isCritical: from.isCritical && to.isCritical, isDone: from.task.state === "accepted" }];
}

/** How long the longest chain before each task is. */
function depths(tasks: Task[], before: (t: Task) => Task[]): Map<string, number> {
  const found = new Map<string, number>();
  const open = new Set<string>();
  const visit = (task: Task): number => {
    const known = found.get(task.id);
    if (known !== undefined) return known;
    if (open.has(task.id)) return 0;
    open.add(task.id);
    const depth = before(task).reduce((m, d) => Math.max(m, visit(d) + 1), 0);
    found.set(task.id, depth);
    return depth;
  };
  for (const task of tasks) visit(task);
  return found;
}

/** What a task waits for, without what those wait for themselves. */
function withoutIndirect(task: Task, before: (t: Task) => Task[]): Task[] {
  const indirect = new Set<string>();
  const visit = (t: Task) => {
    for (const d of before(t)) {
      if (indirect.has(d.id)) continue;
      indirect.add(d.id);
      visit(d);
    }
  };
  for (const d of before(task)) visit(d);
  return before(task).filter((d) => !indirect.has(d.id));
}

/** The longest chain of tasks that are not over. */
function longest(tasks: Task[], before: (t: Task) => Task[]): Task[] {
  const open = tasks.filter((t) => !isOver(t)).sort(byId);
  const still = (t: Task) => before(t).filter((d) => !isOver(d));
  const depth = depths(open, still);
  let next = open.reduce<Task | undefined>((a, t) => ((depth.get(t.id) ?? 0) > (depth.get(a?.id ?? "") ?? -1) ? t : a), undefined);
  const chain: Task[] = [];
  while (next && !chain.includes(next)) {
    chain.unshift(next);
    next = still(next).reduce<Task | undefined>(
      (a, t) => ((depth.get(t.id) ?? 0) > (depth.get(a?.id ?? "") ?? -1) ? t : a),
      undefined,
    );
  }
  return chain.length > 1 ? chain : [];
}

/** Rows within each wave, near to what a task waits for. */
function rowsOf(tasks: Task[], waves: Map<string, number>, direct: (t: Task) => Task[]): Map<string, number> {
  const columns: Task[][] = [];
  for (const task of [...tasks].sort(byId)) (columns[waves.get(task.id) ?? 0] ??= []).push(task);
  const rows = new Map<string, number>();
  for (const column of columns) {
    const wish = (t: Task) => {
      const of = direct(t).map((d) => rows.get(d.id) ?? 0);
      return of.length ? of.reduce((a, b) => a + b, 0) / of.length : 0;
    };
    const sorted = (column ?? []).map((t, i) => ({ t, i, at: wish(t) })).sort((a, b) => a.at - b.at || a.i - b.i);
    let next = 0;
    for (const { t, at } of sorted) {
      next = Math.max(next, Math.round(at));
      rows.set(t.id, next++);
    }
  }
  return rows;
}
