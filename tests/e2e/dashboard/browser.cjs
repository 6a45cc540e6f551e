// What the scripts of this folder share: a browser, a person's session in it, and what must hold on every page.
//
//   IKIGAI_PLAYWRIGHT  folder of playwright-core            IKIGAI_CHROMIUM  default /usr/bin/chromium
//   IKIGAI_AXE         file axe.min.js: pages are checked with it; without, that check is left out and said so
//   IKIGAI_DIST        a built site to try in place of the one in the node's program
"use strict";

const fs = require("node:fs");
const { mkdtempSync, rmSync } = fs;
const { tmpdir } = require("node:os");
const { join } = require("node:path");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

const SITE = join(__dirname, "../../../node/surface/dashboard");
const KINDS = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };

// What the program would answer for a path of the site in `dist`: a file, or the page, under the program's policy.
function siteFile(dist, path) {
  const file = join(dist, path);
  const found = file.startsWith(dist) && fs.existsSync(file) && fs.statSync(file).isFile() ? file : join(dist, "index.html");
  const source = fs.readFileSync(join(SITE, "src/files.rs"), "utf8");
  const policy = /CONTENT_SECURITY_POLICY: &str = "([^"]*)"/.exec(source)[1].replace(/\\\n\s*/g, "");
  const kind = KINDS[found.split(".").pop()] || "application/octet-stream";
  return { body: fs.readFileSync(found), headers: { "content-type": kind, "content-security-policy": policy } };
}

// A page that is held to it: no script fails, nothing is asked of another host, nothing is refused by the policy. With
// `only`, the address of a node, what pages of others do does not count.
function watched(page, only) {
  const faults = [];
  const isOurs = () => !only || page.url().startsWith(only);
  page.on("pageerror", (error) => faults.push(`a script failed: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // A refused request is what a script asked for; the page's own mistakes are what counts.
    if (isOurs() && message.type() === "error" && !text.startsWith("Failed to load resource")) faults.push(`the page complains: ${text}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (isOurs() && url.protocol.startsWith("http") && url.hostname !== "127.0.0.1") faults.push(`the page asks ${url.host}`);
  });
  return faults;
}

// Runs `use` with a context of its own; prints one JSON line of what it answers, or of what went wrong.
async function run({ only, ...options }, use) {
  if (!process.env.IKIGAI_PLAYWRIGHT) {
    console.error("IKIGAI_PLAYWRIGHT does not name the folder of playwright-core");
    process.exit(2);
  }
  const { chromium } = require(process.env.IKIGAI_PLAYWRIGHT);
  const profile = mkdtempSync(join(tmpdir(), "ikigai-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.IKIGAI_CHROMIUM || "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width: 1280, height: 860 },
    ...options,
  });
  const page = context.pages()[0];
  const faults = watched(page, only);
  const dist = process.env.IKIGAI_DIST;
  if (dist) {
    const isSite = (url) => url.hostname === "127.0.0.1" && !/^\/(v1|metrics|openapi)/.test(url.pathname);
    await context.route(isSite, (route) => route.fulfill(siteFile(dist, new URL(route.request().url()).pathname)));
  }
  try {
    const said = await use(page, context);
    expect(faults.length === 0, faults.join("; "));
    console.log(JSON.stringify({ ok: true, ...said }));
  } catch (error) {
    if (process.env.IKIGAI_SCREENSHOT) await page.screenshot({ path: process.env.IKIGAI_SCREENSHOT }).catch(() => {});
    console.log(JSON.stringify({ ok: false, error: String(error.message || error), page: page.url(), faults }));
    process.exitCode = 1;
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

// Opens the dashboard by its one-time link; answers how long that took, in ms, and how many bytes came.
async function comeIn(page, link) {
  const response = await page.goto(link);
  await page.waitForSelector("main#page h1");
  const firstView = Math.round(await page.evaluate(() => performance.now()));
  expect(!page.url().includes("#"), `the code is still in the address: ${page.url()}`);
  strict(await response.headerValue("content-security-policy"));
  const inline = await page.evaluate(() => document.querySelectorAll("script:not([src]), style, [style*=url], [onclick]").length);
  expect(inline === 0, `${inline} inline scripts or styles`);
  const weight = await page.evaluate(() => {
    const came = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return came.filter((entry) => !entry.name.includes("/v1/")).reduce((sum, entry) => sum + entry.encodedBodySize, 0);
  });
  expect(weight > 10_000, `the site weighs ${weight} bytes`);
  return { firstView, weight };
}

// The policy lets in what the node itself serves and nothing else: no inline script, no other host, no frame around it.
function strict(policy) {
  const rules = new Map((policy || "").split(";").map((rule) => rule.trim().split(/\s+/)).map(([name, ...values]) => [name, values.join(" ")]));
  const wanted = { "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'", "require-trusted-types-for": "'script'" };
  for (const [name, value] of Object.entries(wanted)) expect(rules.get(name) === value, `the policy says ${name} ${rules.get(name)}`);
  expect(!/unsafe|\*|https?:/.test(policy), `the policy is open: ${policy}`);
}

// Goes to a page of the site as a click does, without loading it again.
async function go(page, path) {
  await page.evaluate((to) => {
    const link = document.createElement("a");
    link.href = to;
    document.body.append(link);
    link.click();
    link.remove();
  }, path);
}

// What axe finds serious on the page as it is.
async function serious(page) {
  if (!process.env.IKIGAI_AXE) return null;
  // The policy lets no script in, not even this one: it is evaluated by the browser's own tools.
  await page.evaluate(fs.readFileSync(process.env.IKIGAI_AXE, "utf8"));
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
  return bad.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(", ")}`);
}

// Nothing is wider than the window.
async function fitsWidth(page, where) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(wide <= window, `${where} is ${wide} px wide in a window of ${window}`);
}

module.exports = { comeIn, expect, fitsWidth, go, run, serious, SITE, siteFile };
