// Draws a picture with Chromium: `picture.cjs terminal TEXT-FILE OUT.png` shows the end of a program's output,
// `picture.cjs editor URL OUT.png` opens an agent's editor and waits until its workbench is drawn, `picture.cjs board
// LINK OUT.png` and `picture.cjs review LINK OUT.png` come in to a dashboard by its link: the board while an agent
// works and a patch waits, and the review of the patch that waits.
const fs = require("node:fs");
const { chromium } = require(process.env.IKIGAI_PLAYWRIGHT);

const LINES = 40; // as much as a reader takes in at one look
const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

async function terminal(page, file) {
  const lines = fs.readFileSync(file, "utf8").trimEnd().split("\n").slice(-LINES);
  await page.setContent(`<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; display: inline-block; background: #14161b; }
    pre { margin: 0; padding: 20px 26px; color: #d7dae0; font: 14px/1.4 "DejaVu Sans Mono", monospace; }
    </style><pre>${escape(lines.join("\n"))}</pre>`);
  return page.locator("body");
}

async function editor(page, url) {
  await page.goto(url);
  await page.waitForSelector(".monaco-workbench .explorer-folders-view .monaco-list-row", { timeout: 90_000 });
  return page;
}

async function board(page, link) {
  await page.goto(link);
  await page.locator("main#page h1").waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("b");
  await page.locator(".column.working .chip", { hasText: "running" }).waitFor({ timeout: 60_000 });
  await page.locator(".column.review .task").waitFor();
  return page;
}

async function review(page, link) {
  await page.goto(link);
  await page.locator("ul[aria-label='What needs you'] a").click();
  await page.getByRole("button", { name: "Unified" }).click();
  const line = page.locator("tr", { has: page.locator("td.code.new", { hasText: "lines.longest" }) }).first();
  await line.getByRole("button").click();
  await page.keyboard.type("Say in the help what happens when there are fewer lines than asked for.");
  await page.keyboard.press("Control+Enter");
  await page.mouse.move(0, 0);
  await page.evaluate(() => scrollTo(0, 0));
  return page;
}

async function main([kind, source, out]) {
  const draw = { terminal, editor, board, review }[kind];
  if (!draw || !out) throw new Error("usage: picture.cjs terminal|editor|board|review SOURCE OUT.png");
  const browser = await chromium.launch({ executablePath: process.env.IKIGAI_CHROMIUM, args: ARGS });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 2 });
    await (await draw(page, source)).screenshot({ path: out });
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`picture: ${error.message}`);
  process.exit(1);
});
