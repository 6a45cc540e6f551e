// Opens an editor by its one-time link in headless Chromium, as a person would, and looks whether it works:
// the workbench is drawn, a terminal in it runs a command, and the link does not work twice.
//
// usage: node open.cjs <link>
//   IKIGAI_PLAYWRIGHT  folder of playwright-core            IKIGAI_CHROMIUM  default /usr/bin/chromium
//   IKIGAI_SCREENSHOT  where the picture goes; none without  IKIGAI_FILE     a file the explorer must show
// Prints one JSON line on standard output; exits 0 when all of it holds, 1 when not, 2 on wrong use.
"use strict";

const http = require("node:http");
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

const link = process.argv[2];
if (!link || !process.env.IKIGAI_PLAYWRIGHT) {
  console.error("usage: IKIGAI_PLAYWRIGHT=<folder> node open.cjs <link>");
  process.exit(2);
}
const { chromium } = require(process.env.IKIGAI_PLAYWRIGHT);

async function look(profile) {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.IKIGAI_CHROMIUM || "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width: 1280, height: 800 },
  });
  try {
    return await use(context);
  } finally {
    await context.close();
  }
}

async function use(context) {
  const page = context.pages()[0];
  const bad = [];
  page.on("response", (r) => r.status() >= 500 && bad.push(`${r.status()} ${new URL(r.url()).pathname}`));
  const began = Date.now();
  await page.goto(link, { waitUntil: "domcontentloaded", timeout: 60_000 });
  const { origin, pathname } = new URL(page.url());
  expect(origin === new URL(link).origin, `the link led to ${origin}`);
  expect(!pathname.startsWith("/.ikigai"), `the link is still in the address: ${pathname}`);

  await page.waitForSelector(".monaco-workbench .part.statusbar", { timeout: 60_000 });
  await page.waitForSelector(".explorer-viewlet .monaco-list-row", { timeout: 60_000 });
  const workbench = Date.now() - began;
  if (process.env.IKIGAI_FILE) {
    await page.locator(".explorer-viewlet .monaco-list-row", { hasText: process.env.IKIGAI_FILE }).first().waitFor();
  }
  const terminal = await inTerminal(page);

  const cookies = await context.cookies();
  const ours = cookies.filter((c) => c.name.startsWith("ikigai"));
  expect(ours.length === 1 && ours[0].httpOnly && ours[0].sameSite === "Strict", `cookies: ${JSON.stringify(cookies)}`);
  expect(!(await page.evaluate(() => document.cookie)).includes("ikigai"), "the page can read our cookie");
  const twice = await statusOf(link);
  expect(twice === 401, `the link worked twice: ${twice}`);
  expect(bad.length === 0, `failed: ${bad.join(", ")}`);
  return { workbench_ms: workbench, terminal_ms: terminal.ms, uid: terminal.uid };
}

// Has a terminal make a file whose name is not in what was typed, until the explorer shows it; then removes it.
async function inTerminal(page) {
  const began = Date.now();
  await page.keyboard.press("Control+Backquote");
  await page.locator(".xterm-helper-textarea").first().focus({ timeout: 30_000 });
  const row = page.locator(".explorer-viewlet .monaco-list-row", { hasText: /^seen-42-\d+$/ });
  // The terminal is drawn as a picture, so nothing tells when its shell is there; what is typed before is lost.
  for (let tries = 1; ; tries++) {
    await page.keyboard.type("\ntouch seen-$((6*7))-$(id -u)\n");
    try {
      await row.waitFor({ timeout: 3_000 });
      break;
    } catch (error) {
      if (tries === 10) throw error;
    }
  }
  const took = Date.now() - began;
  const name = (await row.textContent()).trim();
  if (process.env.IKIGAI_SCREENSHOT) {
    await page.screenshot({ path: process.env.IKIGAI_SCREENSHOT });
  }
  await page.keyboard.type(`rm ${name}\n`);
  await row.waitFor({ state: "detached", timeout: 30_000 });
  return { ms: took, uid: Number(name.split("-")[2]) };
}

// What the link answers now. Not the browser: its cookie would open the editor by itself.
function statusOf(url) {
  const { host, port, pathname, search } = new URL(url);
  return new Promise((done, failed) => {
    const options = { host: "127.0.0.1", port: port || 80, path: pathname + search, headers: { host }, agent: false };
    http.get(options, (r) => done(r.resume().statusCode)).on("error", failed);
  });
}

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

(async () => {
  const profile = mkdtempSync(join(tmpdir(), "ikigai-chromium-"));
  try {
    console.log(JSON.stringify({ ok: true, ...(await look(profile)) }));
  } catch (error) {
    console.log(JSON.stringify({ ok: false, error: String(error.message || error) }));
    process.exitCode = 1;
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
})();
