// The dashboard with 200 nodes and 20,000 tasks, and a log of 100,000 lines, against a server that only pretends: how
// long the page keeps a person waiting. Prints one line with what was measured; exits 0 when all of it is in bounds.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const { gzipSync } = require("node:zlib");
const { join } = require("node:path");
const { expect, go, run, SITE, siteFile } = require("./browser.cjs");

const DIST = process.env.IKIGAI_DIST || join(SITE, "dist");
const TASKS = 20_000;
const NODES = 200;
const LINES = 100_000;
// In ms, on a machine of two cores.
const BOUNDS = {
  firstView: 1000, allTasks: 4000, key: 500, search: 500, log: 6000, scrollPause: 500, eventsPause: 500, logPause: 500, logScrollPause: 500,
};
const TRIES = 6;
const WEIGHT = 250 * 1024;

const STATES = ["queued", "waiting", "running", "verifying", "review", "accepted", "accepted", "failed"];
const hex = (n) => n.toString(16).padStart(64, "0");
const now = Date.now();
const resources = { cpuMillis: 8000, memoryBytes: 2 ** 34, diskBytes: 2 ** 38, gpus: 0, slots: 8 };
const usage = { calls: 3, inputTokens: 20_000, outputTokens: 900, costMicroUsd: 12_000 };

function node(n) {
  return {
    id: hex(n), name: `node-${n}`, liveness: n % 50 ? "alive" : "suspect", version: "0.1.0", capacity: resources, allocatable: resources,
    free: { ...resources, slots: n % 9 }, tags: { zone: `z${n % 5}` }, adapters: ["codex"], providers: ["openai"], executor: "docker",
    isolationMissing: [], cordoned: n % 40 === 0, observedAt: now,
  };
}

function task(n) {
  const state = STATES[n % STATES.length];
  const id = `p.f${Math.floor(n / 500)}.T${n}`;
  const attempt = {
    id: { task: id, number: 1 }, epoch: 1, node: hex(n % NODES), agent: `t${n}-1-abcdef`, phase: state === "running" ? "running" : "ended",
    outcome: state === "running" ? null : "done", placement: [], isolationMissing: [], usage, startedAt: now - 60_000, endedAt: state === "running" ? null : now,
  };
  return {
    id, short: `T${n}`, project: "/srv/shop", feature: `f${Math.floor(n / 500)}`, title: `Make part ${n} of the shop as the plan says`, state,
    reason: state === "waiting" ? "dependency" : null, owner: hex(0), epoch: 1, dependsOn: n % 500 ? [`p.f${Math.floor(n / 500)}.T${n - 1}`] : [],
    why: { cause: state, text: `is ${state}` }, attempts: [attempt], usage, submittedAt: now - 1e6, updatedAt: now - n * 100,
    limits: { cpuMillis: 1000, diskBytes: 2 ** 32, memoryBytes: 2 ** 31, pids: 512, stallMs: 300_000, timeMs: 3_600_000 },
  };
}

const tasks = Array.from({ length: TASKS }, (_, n) => task(n));
const byId = new Map(tasks.map((t) => [t.id, t]));
const nodes = Array.from({ length: NODES }, (_, n) => node(n));

function pretend() {
  const snapshot = JSON.stringify({ apiVersion: "ikigai.dev/v1", kind: "Snapshot", node: hex(0), nodes, projects: [], tasks, cursor: "1.1000" });
  const streams = new Set();
  const json = (response, body) => response.setHeader("content-type", "application/json").end(typeof body === "string" ? body : JSON.stringify(body));
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    if (pathname === "/v1/session") return json(response, { expiresAt: now + 1e9 });
    if (pathname === "/v1/snapshot") return json(response, snapshot);
    if (pathname === "/v1/nodes") return json(response, { items: nodes });
    if (pathname === "/v1/events") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": begin\n\n");
      streams.add(response);
      return response.on("close", () => streams.delete(response));
    }
    if (pathname.endsWith("/logs")) return logOf(response);
    const found = /^\/v1\/tasks\/([^/]+)$/.exec(pathname);
    if (found) return json(response, byId.get(decodeURIComponent(found[1])) || {});
    const { body, headers } = siteFile(DIST, pathname);
    return response.writeHead(200, headers).end(body);
  });
  const tell = (text) => streams.forEach((s) => s.write(text));
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done({ server, tell, url: `http://127.0.0.1:${server.address().port}` })));
}

function logOf(response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let n = 0;
  const more = () => {
    while (n < LINES) {
      n += 1;
      const entry = { n, at: now + n, stream: "stdout", text: n % 1000 ? `line ${n}: compiling part ${n % 97} of something` : `needle ${n}` };
      if (!response.write(`id: ${n}\nevent: line\ndata: ${JSON.stringify(entry)}\n\n`)) return response.once("drain", more);
    }
    return response.end("event: end\ndata: {}\n\n");
  };
  more();
}

// The longest time between two frames of the screen while `act` goes on.
async function longestPause(page, act) {
  await page.evaluate(() => {
    window.pauses = { last: performance.now(), most: 0, on: true };
    const tick = (at) => {
      window.pauses.most = Math.max(window.pauses.most, at - window.pauses.last);
      window.pauses.last = at;
      if (window.pauses.on) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await act();
  return page.evaluate(() => {
    window.pauses.on = false;
    return Math.round(window.pauses.most);
  });
}

async function since(act) {
  const began = performance.now();
  await act();
  return Math.round(performance.now() - began);
}

// The least of a few measurements: other programs of the machine can only add to what the page itself takes. Ends with
// the first one in bounds; `measure` answers one figure for each name of `names`.
async function least(seen, names, measure) {
  for (let n = 0; n < TRIES; n++) {
    const found = [await measure()].flat();
    names.forEach((name, i) => (seen[name] = Math.min(seen[name] ?? Infinity, found[i])));
    if (names.every((name) => seen[name] <= BOUNDS[name])) return;
  }
  const bad = names.filter((name) => seen[name] > BOUNDS[name]);
  expect(bad.length === 0, `${bad} above ${bad.map((name) => BOUNDS[name])} ms in each of ${TRIES} tries: ${JSON.stringify(seen)}`);
}

// Notes in the page, in ms from the moment the page was asked for, when each of `WATCHED` is first there.
function noteFirst(watched) {
  window.firsts = {};
  const look = () => {
    for (const [name, selector] of Object.entries(watched)) {
      if (!(name in window.firsts) && document.querySelector(selector)) window.firsts[name] = Math.round(performance.now());
    }
    if (Object.keys(window.firsts).length < Object.keys(watched).length) requestAnimationFrame(look);
  };
  look();
}

function weight() {
  let bytes = 0;
  for (const name of fs.readdirSync(DIST, { recursive: true })) {
    const file = join(DIST, name);
    if (fs.statSync(file).isFile()) bytes += gzipSync(fs.readFileSync(file)).length;
  }
  return bytes;
}

run({}, async (page) => {
  const { server, tell, url } = await pretend();
  try {
    const seen = { weight: weight() };
    expect(seen.weight <= WEIGHT, `the site weighs ${seen.weight} bytes`);
    await page.addInitScript(() => localStorage.setItem("ikigai.key", "x"));
    await page.addInitScript(noteFirst, { firstView: "main#page", allTasks: ".column.review .task" });
    await least(seen, ["firstView", "allTasks"], async () => {
      await page.goto(`${url}/tasks`);
      await page.locator(".column.review .task").first().waitFor();
      await page.waitForFunction(() => "allTasks" in window.firsts);
      return page.evaluate(() => [window.firsts.firstView, window.firsts.allTasks]);
    });
    const drawn = await page.locator(".task").count();
    expect(drawn < 400, `${drawn} cards are drawn`);
    await board(page, seen, tell);
    await log(page, seen);
    return seen;
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

async function board(page, seen, tell) {
  await page.getByRole("button", { name: "List", exact: true }).click();
  await page.locator(".line .short").first().waitFor();
  let wanted = TASKS;
  await least(seen, ["key"], () => {
    const name = `T${--wanted}`;
    return since(async () => {
      await page.getByLabel("Filter the tasks").fill(name);
      await page.locator(".line .short", { hasText: name }).waitFor();
    });
  });
  await page.getByLabel("Filter the tasks").fill("");
  await least(seen, ["scrollPause"], () =>
    longestPause(page, async () => {
      for (let i = 0; i < 40; i++) await page.evaluate((i) => (document.querySelector(".rows").scrollTop = i * 20_000), i);
    }),
  );
  let happened = 1000;
  await least(seen, ["eventsPause"], () =>
    longestPause(page, async () => {
      for (let i = 0; i < 100; i++) {
        const changed = tasks[++happened];
        changed.state = "running";
        const event = { cursor: `1.${happened}`, at: Date.now(), task: changed.id, type: "started", state: "running", text: "runs" };
        tell(`id: ${event.cursor}\nevent: event\ndata: ${JSON.stringify(event)}\n\n`);
        await page.waitForTimeout(10);
      }
      await page.getByLabel("Filter the tasks").fill(`T${happened}`);
      await page.locator(".line", { hasText: `T${happened}` }).locator(".chip", { hasText: "running" }).waitFor();
      await page.getByLabel("Filter the tasks").fill("");
    }),
  );
  await go(page, "/nodes");
  await page.locator(".card h2", { hasText: `node-${NODES - 1}` }).waitFor();
}

async function log(page, seen) {
  let n = 2;
  await least(seen, ["logPause", "log"], async () => {
    let took = 0;
    const pause = await longestPause(page, async () => {
      took = await since(async () => {
        await go(page, `/task/${encodeURIComponent(tasks[n++].id)}`);
        await page.locator(".log .foot", { hasText: "100,000 lines, all there is" }).waitFor({ timeout: 60_000 });
      });
    });
    return [pause, took];
  });
  await page.locator(".log .line", { hasText: "needle 100000" }).waitFor();
  const rows = await page.locator(".log .line").count();
  expect(rows < 200, `${rows} lines are drawn`);
  await least(seen, ["search"], async () => {
    await page.getByLabel("Search the log").fill("");
    return since(async () => {
      await page.getByLabel("Search the log").fill("needle");
      await page.getByText("1 of 100", { exact: true }).waitFor();
    });
  });
  await least(seen, ["logScrollPause"], () =>
    longestPause(page, async () => {
      for (let i = 0; i < 40; i++) await page.evaluate((i) => (document.querySelector(".log .lines").scrollTop = i * 50_000), i);
    }),
  );
}
