// A person's day on the dashboard of a real node: comes in by the link, sees a task run, reads its log, opens its
// editor, reviews and accepts, sends the rest from the plan, rejects with a reason, takes the node out of work and
// back, and is told when the node is away.
//
// usage: node day.cjs <link>
// Says `{"step":"away"}` when the node may be killed and `{"step":"back"}` when it may be started again, then one line
// with what it saw; exits 0 when all of it holds.
"use strict";

const { comeIn, expect, fitsWidth, go, run, serious } = require("./browser.cjs");

const [, , link] = process.argv;
const LONG = 120_000;
const WEIGHT = 250 * 1024;
const step = (name) => console.log(JSON.stringify({ step: name }));

run({}, async (page, context) => {
  page.setDefaultTimeout(30_000);
  const loads = [];
  page.on("load", () => loads.push(page.url()));
  const seen = await comeIn(page, link);
  expect(seen.weight <= WEIGHT, `the first view weighs ${seen.weight} bytes`);
  await secrets(page, context);
  const axe = {};
  const look = async (name) => {
    const bad = await serious(page);
    if (bad) axe[name] = bad;
  };

  // A task that runs is seen to run, and then to want a review, without the page being loaded again.
  await go(page, "/tasks");
  await page.locator(".column.review .task", { hasText: "T001" }).waitFor({ timeout: LONG });
  await look("board");
  await keyboard(page);
  await page.locator(".column.review .task", { hasText: "T001" }).click();
  await page.getByRole("heading", { level: 1, name: /T001/ }).waitFor();
  await page.locator(".log .line.ran").first().waitFor();
  await page.locator(".log .line.system", { hasText: "the agent exited with 0" }).waitFor();
  await search(page);
  await look("task");
  const editor = await openEditor(page, context);

  // Review: the diff is there, accepting merges.
  await page.keyboard.press("r");
  await page.locator("td.code.new").first().waitFor();
  await page.getByRole("button", { name: "Side by side" }).click();
  await page.locator("td.code.new").first().waitFor();
  await look("review");
  await page.keyboard.press("a");
  await page.getByRole("button", { name: "Accept and merge" }).click();
  await page.locator(".head .chip", { hasText: "accepted" }).waitFor({ timeout: LONG });

  // The plan names the rest; two of them are sent.
  await page.keyboard.press("Control+k");
  await page.keyboard.type("go to spec");
  await page.keyboard.press("Enter");
  await page.locator("li", { hasText: "T002" }).first().waitFor();
  await look("spec");
  const boxes = page.locator('input[type="checkbox"][aria-label^="Send T"]');
  for (const box of await boxes.all()) {
    if (!["Send T002", "Send T003"].includes(await box.getAttribute("aria-label"))) await box.uncheck();
  }
  await page.getByRole("button", { name: "Send 2 tasks" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Send" }).click();

  // The graph is shown and lives; T003 waits for T002.
  await page.locator(".place", { hasText: "T002" }).waitFor();
  await page.locator(".place.review", { hasText: "T002" }).waitFor({ timeout: LONG });
  expect((await page.locator(".place.critical").count()) >= 2, "the longest way that is left is not marked");
  await look("feature");
  await page.locator(".place", { hasText: "T003" }).click();
  await page.getByText(/waits for T002/i).first().waitFor();

  // Rejecting with a reason makes another attempt.
  await go(page, "/now");
  await page.getByRole("heading", { name: "1 needs you" }).waitFor();
  await look("now");
  await page.locator("a", { hasText: "T002" }).first().click();
  await note(page);
  await go(page, "/tasks");
  await page.locator(".task", { hasText: "T002" }).locator(".num", { hasText: "#2" }).waitFor({ timeout: LONG });

  // The node is taken out of work and back.
  await go(page, "/nodes");
  await page.getByRole("button", { name: "No new work" }).click();
  await page.locator(".chip", { hasText: "no new work" }).waitFor();
  await page.getByRole("button", { name: "Take work again" }).click();
  await page.locator(".chip", { hasText: "no new work" }).waitFor({ state: "detached" });
  await look("nodes");

  // Killed under the page's eyes: it says so, and how old it is; when the node is back it goes on by itself.
  step("away");
  await page.locator(".banner", { hasText: "Disconnected" }).waitFor({ timeout: 30_000 });
  await page.locator(".banner", { hasText: /is \d+ s old/ }).waitFor();
  step("back");
  await page.locator(".banner").waitFor({ state: "detached", timeout: 60_000 });

  // On a phone nothing is cut off; in the dark everything can be read.
  const task = await page.evaluate(() => fetch("/v1/tasks?limit=1", { headers: { "X-Ikigai-Key": localStorage.getItem("ikigai.key") } }).then((r) => r.json()));
  const id = encodeURIComponent(task.items[0].id);
  const paths = ["/now", "/tasks", `/task/${id}`, "/review", `/review/${id}`, "/features", "/feature/001-text-stats", "/spec", "/agents", "/nodes", "/access", "/settings", "/more"];
  for (const [width, colorScheme] of [[390, "light"], [1280, "dark"]]) {
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme });
    for (const path of paths) {
      await go(page, path);
      await page.locator("main h1").first().waitFor();
      await fitsWidth(page, path);
      await look(`${colorScheme} ${path.replace(id, "id")}`);
    }
  }
  expect(loads.length <= 1, `the page was loaded again: ${loads}`);
  const bad = Object.entries(axe).filter(([, found]) => found.length);
  expect(bad.length === 0, `axe: ${JSON.stringify(Object.fromEntries(bad))}`);

  // Who logs out is out.
  await go(page, "/settings");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByText("This browser has no session").waitFor();
  return { ...seen, editor, axe: Object.keys(axe).length };
});

// The page holds its half of the session and nothing else; the cookie is out of its reach.
async function secrets(page, context) {
  const [cookie] = await context.cookies();
  expect(cookie.name.startsWith("ikigai-") && cookie.httpOnly && cookie.sameSite === "Strict", `cookie: ${JSON.stringify(cookie)}`);
  expect(cookie.expires > Date.now() / 1000, "the session does not end");
  const held = await page.evaluate(() => ({ cookie: document.cookie, names: Object.keys(localStorage), key: localStorage.getItem("ikigai.key") }));
  expect(held.cookie === "" && held.names.join() === "ikigai.key" && held.key !== cookie.value, `the page holds ${JSON.stringify(held)}`);
  const alone = await page.evaluate(() => fetch("/v1/tasks").then((r) => r.status));
  expect(alone === 401, `the cookie alone gets in: ${alone}`);
}

// A note on a line is kept when the page is left, and becomes what the next attempt is told.
async function note(page) {
  const first = page.locator("td.code.new", { hasText: "Where the text comes from" });
  await first.waitFor();
  for (let steps = 0; !(await page.locator("td.code.at", { hasText: "Where the text comes from" }).count()); steps++) {
    expect(steps < 50, "keys do not reach the line");
    await page.keyboard.press("j");
  }
  await page.keyboard.press("c");
  await page.keyboard.type("Say what standard input is for.");
  await page.keyboard.press("Control+Enter");
  await page.locator(".noted", { hasText: "Say what standard input is for." }).waitFor();
  await page.keyboard.press("u");
  await page.getByRole("link", { name: /T002/ }).first().click();
  await page.locator(".noted", { hasText: "Say what standard input is for." }).waitFor();
  await page.keyboard.press("x");
  await page.getByLabel(/Why\?/).fill("Nearly.");
  const sent = page.waitForRequest((request) => request.url().endsWith("/reject"));
  await page.getByRole("button", { name: "Reject and try again" }).click();
  const { reason, retry } = (await sent).postDataJSON();
  const wanted = 'Nearly.\n\ntextstats/source.py:1: `"""Where the text comes from."""`\n    Say what standard input is for.';
  expect(retry && reason === wanted, `the reason is ${reason}`);
}

// Keys alone lead anywhere, and it can always be seen where they are.
async function keyboard(page) {
  await page.keyboard.press("g");
  await page.keyboard.press("b");
  await page.getByRole("heading", { level: 1, name: "Board" }).waitFor();
  const seen = new Set();
  for (let n = 0; n < 24; n++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      // After the last one comes the browser itself.
      if (document.activeElement === document.body) return {};
      const style = getComputedStyle(document.activeElement);
      const text = document.activeElement.textContent.trim().slice(0, 20) || document.activeElement.getAttribute("aria-label");
      return { text, visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
    });
    if (at.text) expect(at.visible, `it cannot be seen that ${at.text} has the focus`);
    if (at.text) seen.add(at.text);
  }
  expect(seen.size > 12, `Tab reaches only ${[...seen]}`);
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("Command palette").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
}

async function search(page) {
  await page.keyboard.press("/");
  await page.keyboard.type("git");
  await page.locator(".log mark").first().waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
}

// The agent's editor opens in a tab of its own, at an origin of its own.
async function openEditor(page, context) {
  const [tab] = await Promise.all([context.waitForEvent("page"), page.getByRole("button", { name: "Open editor" }).click()]);
  await tab.waitForURL(/\.localhost:/, { timeout: 60_000 });
  await tab.waitForSelector(".monaco-workbench", { timeout: 90_000 });
  const { hostname } = new URL(tab.url());
  expect(await tab.evaluate(() => window.opener === null), "the editor can reach the dashboard");
  await tab.close();
  return hostname.endsWith(".localhost");
}
