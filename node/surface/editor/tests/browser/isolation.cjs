// A person has two editors open, of which agent a's is hostile and tries what a page can try.
//
// usage: node isolation.cjs <link to a> <link to b> <unused link to b>
// Prints a line per attack, `held: …` or `BROKEN: …`; exits 0 when all was tried.
"use strict";

const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { chromium } = require(process.env.IKIGAI_PLAYWRIGHT);

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const [linkA, linkB, spareB] = process.argv.slice(2);

// What each attack must end in.
const EXPECT = {
  "read the cookie": (got) => got === "",
  "find the token in the history": (got) => !got.includes("token") && !got.includes(".ikigai"),
  "worker over everything": (got) => got.startsWith("failed"),
  "worker over everything from a folder": (got) => got === "failed: SecurityError",
  "worker over our paths from a folder": (got) => got === "failed: SecurityError",
  "our own paths": (got) => got === "done: 401",
  "our own paths written otherwise": (got) => got === "done: 404" || got === "done: 401",
  "another agent by fetch": (got) => got === "failed: TypeError",
  "another agent without reading": (got) => got === "done: opaque" || got.startsWith("failed"),
  "another agent by a form": (got) => got === "TypeError" || got === "SecurityError",
  "another agent in a frame": (got) => got === "TypeError" || got === "SecurityError",
  "another agent by WebSocket": (got) => got === "failed",
  "its own WebSocket": (got) => got === "message: hello",
  "another agent as a script": (got) => got === "failed",
  "overwrite the cookie": (got) => !got.includes("evil"),
  "a cookie for everyone": (got) => !got.includes("wide"),
  "cookies by header": (got) => got === "done: own=1",
  "log the person out": (got) => got === "done: 200",
  "say who is calling": (got) => got === "done: 200",
  "send the person away": (got) => got === "done: 502 true",
  "the node's API": (got) => got === "failed: TypeError",
  "the opener": (got) => got === "null",
};

async function main(context) {
  const b = context.pages()[0];
  await b.goto(linkB);
  await b.waitForSelector("h1");
  const a = await context.newPage();
  await a.goto(linkA);
  await a.waitForSelector("h1");
  const names = await a.evaluate(() => Object.keys(window.attacks));
  for (const name of names) {
    const got = await a.evaluate((n) => Promise.race([
      window.attacks[n](), new Promise((done) => setTimeout(() => done("failed: time"), 10_000)),
    ]), name);
    report(name, name in EXPECT && EXPECT[name](String(got)), got);
  }
  report("nothing was left out", names.length === Object.keys(EXPECT).length, names.length);

  // The person goes on in both, and follows a link from a hostile page into the other editor.
  report("the other editor still works", (await b.reload()).status() === 200);
  report("this editor still works", (await a.reload()).status() === 200);
  await a.evaluate((to) => { location.href = to; }, new URL(linkB).origin + "/");
  await a.waitForURL(new URL(linkB).origin + "/");
  await a.waitForSelector("h1");
  report("a person can be led to a running editor", (await a.textContent("h1")).startsWith("hello"));
  await a.goto(linkA).catch(() => {});
  report("a used link opens nothing", (await a.textContent("body")).includes("ikigai open"));
  await a.goto(spareB);
  await a.waitForSelector("h1");
  report("a link from the terminal opens", new URL(a.url()).pathname === "/");
}

function report(name, held, got) {
  console.log(`${held ? "held" : "BROKEN"}: ${name}${held ? "" : ` (${JSON.stringify(got)})`}`);
}

(async () => {
  const profile = mkdtempSync(join(tmpdir(), "ikigai-chromium-"));
  const executablePath = process.env.IKIGAI_CHROMIUM || "/usr/bin/chromium";
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS });
  try {
    await main(context);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
})().catch((error) => {
  console.error(String(error.stack || error));
  process.exitCode = 1;
});
