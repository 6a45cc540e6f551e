// What is decided without a page: times, diffs, graphs, logs, frames of a stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Frames } from "../src/api/stream";
import type { LogEntry, Task } from "../src/api/types";
import { placesOf } from "../src/words/address";
import { rowsOf } from "../src/words/agentlog";
import { paired, parseDiff } from "../src/words/diff";
import { layOut } from "../src/words/graph";
import { keyOf, noteOn, told } from "../src/words/notes";
import { can, fits, needOf, wordsIn } from "../src/words/task";
import { lastWritten, plain } from "../src/words/text";
import { input, read, word } from "../src/words/terminal";
import { age, bytes, cost, count, span } from "../src/words/time";

function task(id: string, state: string, dependsOn: string[] = [], reason?: string): Task {
  return { id, short: id, title: `do ${id}`, state, reason, dependsOn, feature: "f", attempts: [], updatedAt: 0 } as unknown as Task;
}

const line = (text: string, stream = "stdout"): LogEntry => ({ n: 7, at: 0, stream, text });

test("spans and amounts are short", () => {
  assert.deepEqual([0, 999, 1000, 61_000, 3_600_000, 93_784_000].map(span), ["0 ms", "999 ms", "1 s", "1 min 1 s", "1 h", "1 d 2 h"]);
  assert.deepEqual([0, 5_000, 7_200_000].map(age), ["now", "5 s", "2 h"]);
  assert.deepEqual([0, 9_000, 1_234_000, null].map(cost), ["$0", "< $0.01", "$1.23", "price unknown"]);
  assert.deepEqual([7, 1234, 61_492, 2_500_000].map(count), ["7", "1.2 k", "61 k", "2.5 M"]);
  assert.deepEqual([512, 1536, 2 ** 34].map(bytes), ["512 B", "1.5 KiB", "16 GiB"]);
});

test("what an agent writes cannot paint, hide or reorder", () => {
  assert.equal(plain("\u001b[31mred\u001b[0m \u001b]0;title\u0007x"), "red x");
  assert.equal(plain("a\u202eb\u200bc\u0007"), "a␣202e␣b␣200b␣c␣07␣");
  assert.equal(plain("tab\tstays, ümlaut 日本 😀"), "tab\tstays, ümlaut 日本 😀");
  assert.equal(lastWritten("10 %\r50 %\r100 %\r"), "100 %");
});

test("records of the agent are read, anything else stands as it came", () => {
  const said = (item: object) => rowsOf(line(JSON.stringify({ type: "item.completed", item })), false);
  const ran = rowsOf(line(JSON.stringify({ type: "item.started", item: { type: "command_execution", command: '/bin/bash -lc "echo \\"hi\\""' } })), false);
  assert.deepEqual(ran.map((r) => [r.kind, r.text]), [["ran", '$ echo "hi"']]);
  assert.deepEqual(said({ type: "agent_message", text: "one\ntwo" }).map((r) => [r.kind, r.text, r.isMore]), [["said", "one", false], ["said", "two", true]]);
  const failed = said({ type: "command_execution", aggregated_output: "oops\n", exit_code: 2 });
  assert.deepEqual(failed.map((r) => [r.kind, r.text]), [["result", "oops"], ["bad", "exited with 2"]]);
  for (const odd of ["{", '{"type":7}', '{"type":"item.completed","item":{"type":"new"}}', "plain", "{}", "null", '{"type":"item.completed"}']) {
    assert.deepEqual(rowsOf(line(odd), false).map((r) => r.text), [odd], odd);
  }
  assert.equal(rowsOf(line('{"type":"turn.started"}'), true)[0]?.text, '{"type":"turn.started"}');
  assert.deepEqual(rowsOf(line("12", "gap"), false).map((r) => [r.kind, r.text]), [["gap", "12 lines are missing here"]]);
});

const DIFF = `diff --git a/src/a.py b/src/a.py
index 1..2 100644
--- a/src/a.py
+++ b/src/a.py
@@ -1,3 +1,4 @@ def f():
 same
-old
+new
+more
 end
\\ No newline at end of file
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/p.png b/p.png
new file mode 100644
Binary files /dev/null and b/p.png differ
diff --git a/o b/n
rename from o
rename to n
`;

test("a diff is files, hunks and numbered lines", () => {
  const { files, isCut } = parseDiff(DIFF);
  assert.equal(isCut, false);
  assert.deepEqual(files.map((f) => [f.path, f.kind, f.additions, f.deletions]), [["src/a.py", "changed", 2, 1], ["gone", "removed", 0, 1], ["p.png", "binary", 0, 0], ["n", "moved", 0, 0]]);
  const hunk = files[0]?.hunks[0];
  assert.equal(hunk?.head, "def f():");
  assert.deepEqual(hunk?.lines.map((l) => [l.old, l.new]), [[1, 1], [2, null], [null, 2], [null, 3], [3, 4], [null, null]]);
  const pairs = paired(hunk?.lines ?? []).map((p) => [p.left?.text ?? null, p.right?.text ?? null]);
  assert.deepEqual(pairs.slice(0, 4), [["same", "same"], ["old", "new"], [null, "more"], ["end", "end"]]);
});

test("a diff that is no diff, or without end, hurts nobody", () => {
  assert.deepEqual(parseDiff("hello\n+++ x").files, []);
  assert.deepEqual(parseDiff("").files, []);
  assert.equal(parseDiff("diff --git a/x b/x\n@@ -1 +1 @@\n" + "+a\n".repeat(30_000)).isCut, true);
  assert.equal(parseDiff("diff --git a/x\u202e b/x\u202e\n").files[0]?.path, "x␣202e␣");
});

test("notes on lines are one text in the order of the patch", () => {
  const { files } = parseDiff(DIFF);
  const [, old, fresh, , , odd] = files[0]?.hunks[0]?.lines ?? [];
  const note = (line: typeof old, path: string, text: string) => ({ ...noteOn(path, line as NonNullable<typeof old>)!, text });
  assert.equal(noteOn("x", odd as NonNullable<typeof odd>), null, "there is no line to speak of");
  assert.notEqual(keyOf("x", old as NonNullable<typeof old>), keyOf("x", fresh as NonNullable<typeof fresh>));
  const notes = [note(fresh, "z.py", "last"), note(fresh, "src/a.py", "why?\nsay more"), note(old, "src/a.py", "keep"), note(old, "gone", "  ")];
  assert.equal(told(" All in all. ", notes, ["src/a.py", "gone", "z.py"]),
    "All in all.\n\nsrc/a.py:2: `new`\n    why?\n    say more\n\nsrc/a.py:2 (removed): `old`\n    keep\n\nz.py:2: `new`\n    last");
  assert.equal(told("", [], []), "");
});

test("addresses are short", () => {
  const relay = "/ip4/10.0.0.2/tcp/7421/p2p/12D3A/p2p-circuit";
  assert.deepEqual(placesOf(["/ip4/10.0.0.1/tcp/7421", "/ip4/10.0.0.1/udp/7421/quic-v1", "/ip6/fd00::1/tcp/7421", "/dns4/srv.example/tcp/1", relay, `${relay}/p2p/12D3B`, "odd"]),
    { direct: ["10.0.0.1:7421", "[fd00::1]:7421", "srv.example:1", "odd"], relayed: 1 });
  assert.deepEqual(placesOf([]), { direct: [], relayed: 0 });
});

test("a feature is waves, direct edges and the longest way that is left", () => {
  const tasks = [task("T1", "accepted"), task("T2", "running", ["T1"]), task("T3", "waiting", ["T1", "T2"]), task("T4", "waiting", ["T1"]), task("T5", "queued", ["T3", "T9"])];
  const graph = layOut(tasks);
  assert.deepEqual(graph.places.map((p) => [p.task.id, p.wave]), [["T1", 0], ["T2", 1], ["T3", 2], ["T4", 1], ["T5", 3]]);
  assert.deepEqual(graph.edges.map((e) => `${e.from.task.id}>${e.to.task.id}`), ["T1>T2", "T2>T3", "T1>T4", "T3>T5"]);
  assert.deepEqual(graph.critical.map((t) => t.id), ["T2", "T3", "T5"]);
  const cells = graph.places.map((p) => `${p.wave}/${p.row}`);
  assert.equal(new Set(cells).size, cells.length, "two tasks on one place");
});

test("a circle and nothing at all can be laid out", () => {
  assert.equal(layOut([]).waves, 0);
  assert.equal(layOut([task("A", "queued", ["B"]), task("B", "queued", ["A"])]).places.length, 2);
});

test("who is needed for what, and what can be done", () => {
  const need = (state: string, reason?: string) => needOf(task("T", state, [], reason));
  assert.deepEqual([need("review"), need("waiting", "human"), need("waiting", "budget"), need("lost"), need("waiting", "dependency"), need("running"), need("accepted")],
    ["review", "question", "budget", "failed", null, null, null]);
  assert.deepEqual(Object.entries(can(task("T", "review"))).filter(([, v]) => v).map(([k]) => k), ["stop", "accept", "reject"]);
  assert.equal(can(task("T", "cancelled")).retry, true);
  const orphan = { ...task("T", "running"), why: { cause: "owner-gone", text: "" } };
  assert.deepEqual([needOf(orphan), Object.entries(can(orphan)).filter(([, v]) => v).map(([k]) => k)], ["owner", ["adopt"]]);
  assert.equal(needOf({ ...orphan, state: "accepted" }), null);
  assert.ok(fits(task("T12", "review"), wordsIn(" REVIEW t12 ")) && !fits(task("T12", "review"), ["nothing"]));
});

test("frames are whole however they were cut", () => {
  const text = ': keep-alive\n\nid: 1.2\nevent: event\ndata: {"a":"b\\n\\nc"}\n\nevent: gap\ndata: {}\n\n';
  for (let cut = 1; cut < text.length; cut++) {
    const frames = new Frames();
    const all = [...frames.take(text.slice(0, cut)), ...frames.take(text.slice(cut))];
    assert.deepEqual(all.map((f) => [f.name, f.id, f.data]), [["event", "1.2", '{"a":"b\\n\\nc"}'], ["gap", null, "{}"]], `cut at ${cut}`);
  }
});

test("messages of a terminal keep their numbers, and what is none is none", () => {
  const message = (bytes: number[]) => read(new Uint8Array(bytes).buffer);
  const output = message([1, 0, 0, 0, 1, 0, 0, 0, 2, 104, 105]);
  assert.deepEqual(output, { kind: "output", offset: 2 ** 32 + 2, bytes: new Uint8Array([104, 105]) });
  assert.deepEqual(read(word("exited", { code: 3 }).buffer), { kind: "word", word: { say: "exited", code: 3 } });
  for (const bad of [[], [2], [0, 123], [1, 0, 0]]) assert.equal(message(bad), null);
  const typed = input("é".repeat(10_000));
  assert.deepEqual(typed.map((m) => [m[0], m.length]), [[1, 16_385], [1, 3_617]]);
});
