// Two pages, one terminal: who types first has it, the other sees the same and may take over.
//
// usage: node terminal.cjs <link> <task>
// Says one line with what it saw; exits 0 when all of it holds.
"use strict";

const { comeIn, expect, go, run, serious } = require("./browser.cjs");

const [, , link, task] = process.argv;

async function openTerminal(page) {
  page.setDefaultTimeout(30_000);
  await go(page, `/task/${task}`);
  await page.getByRole("button", { name: "Terminal", exact: true }).click();
  await page.locator(".xterm-rows").waitFor();
  await page.getByText("Nobody types; press a key to begin").or(page.getByText(/^locked by /)).waitFor();
}

// What stands on the screen is in rows of spans.
const shows = (page, text) => page.locator(".xterm-rows", { hasText: text }).waitFor();

run({}, async (page, context) => {
  await comeIn(page, link);
  await openTerminal(page);
  await page.locator(".xterm").click();
  await page.keyboard.type("echo fir''st\n");
  await shows(page, "first");
  await page.getByText("You type; the agent waits").waitFor();
  const rows = await page.locator(".xterm-rows > div").evaluateAll((all) => all.map((row) => row.getBoundingClientRect()));
  expect(rows.length > 5 && rows[1].top > rows[0].top, "the rows of the screen lie upon each other: its style is missing");
  const axe = await serious(page);
  expect(!axe || axe.length === 0, `axe finds ${axe}`);

  const other = await context.newPage();
  await other.goto(new URL("/", page.url()).href);
  await other.waitForSelector("main#page h1");
  await openTerminal(other);
  await shows(other, "first");
  await other.getByText(/^locked by /).waitFor();
  await other.locator(".xterm").click();
  await other.keyboard.type("echo unwan''ted\n");
  await other.getByRole("button", { name: "Take over" }).click();
  await other.getByText("You type; the agent waits").waitFor();
  await page.getByText(/^locked by /).waitFor();
  await other.locator(".xterm").click();
  await other.keyboard.type("echo sec''ond\n");
  await shows(page, "second");
  expect(!(await page.locator(".xterm-rows").innerText()).includes("unwanted"), "what one without the lock typed arrived");
  await other.getByRole("button", { name: "Hand back" }).click();
  await page.getByText("Nobody types; press a key to begin").waitFor();
  return { rows: rows.length };
});
