// A machine is let into the mesh from the dashboard of another one, seen in it, and taken out of it again.
//
// usage: node access.cjs <link> <name of the other machine>
// Says `{"step":"join","command":"ikigai join …"}` when that command is to be run on the other machine,
// `{"step":"away"}` when that one may be killed and `{"step":"back"}` when it may be started again, then one line with
// what it saw; exits 0 when all of it holds.
"use strict";

const { comeIn, expect, go, run, serious } = require("./browser.cjs");

const [, , link, other] = process.argv;

run({ permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
  page.setDefaultTimeout(30_000);
  await comeIn(page, link);
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  const members = page.getByRole("region", { name: "Members" });
  const invitations = page.getByRole("region", { name: "Invitations" });
  await members.getByText("1 machine in this mesh").waitFor();

  // One that is taken back lets nobody in.
  await invite(page, "10 minutes");
  await page.getByRole("region", { name: "New invitation" }).getByRole("button", { name: "Revoke" }).click();
  await invitations.getByText("revoked").waitFor();

  await invite(page, "an hour");
  const command = await page.locator("pre.command").textContent();
  expect(/^ikigai join ik1_\S+$/.test(command), `the command is ${command}`);
  await page.getByRole("button", { name: "Copy" }).click();
  expect((await page.evaluate(() => navigator.clipboard.readText())) === command, "the clipboard has something else");
  const bad = await serious(page);
  console.log(JSON.stringify({ step: "join", command }));
  await page.getByText("The invitation was used.").waitFor();
  await members.locator("li", { hasText: other }).getByText("alive").waitFor();
  await invitations.getByText(`used by ${other}`).waitFor();

  // What was told once is told no more.
  await go(page, "/nodes");
  await page.getByRole("status").getByText("2 alive").waitFor();
  await page.getByRole("region", { name: `Node ${other}` }).getByText(/alive, told/).waitFor();

  // One that goes silent is said to be, with the age of what is known of it.
  console.log(JSON.stringify({ step: "away" }));
  const card = page.getByRole("region", { name: `Node ${other}` });
  await card.getByText(/dead, last heard \d+ s ago/).waitFor({ timeout: 60_000 });
  await page.getByRole("status").getByText("1 alive, 1 dead").waitFor();
  expect((await card.getByRole("button", { name: "Drain" }).count()) === 0, "a dead node can be drained");
  console.log(JSON.stringify({ step: "back" }));
  await card.getByText(/alive, told/).waitFor({ timeout: 60_000 });
  await page.goBack();
  await members.locator("li", { hasText: other }).waitFor();
  expect(!(await page.content()).includes("ik1_"), "the token is still on the page");

  await members.locator("li", { hasText: other }).getByRole("button", { name: "Take out" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Take it out" }).click();
  await members.getByText("1 machine in this mesh").waitFor();

  // A user is added and removed, and both are in the log.
  const users = page.getByRole("region", { name: "Users" });
  const log = page.getByRole("region", { name: "Audit log" });
  await users.getByRole("button", { name: "Add a user" }).click();
  const asked = page.getByRole("dialog", { name: "Add a user" });
  await asked.getByLabel("Name").fill("ana");
  await asked.getByLabel("May do").selectOption("reviewer");
  await asked.getByRole("button", { name: "Add", exact: true }).click();
  await users.getByText("1 user, and who runs the node").waitFor();
  await log.getByText("POST /v1/users: ana is reviewer").waitFor();
  await users.getByRole("button", { name: "Log-in link" }).click();
  await page.getByRole("region", { name: "Just made" }).getByText("/login#").waitFor();
  await users.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog", { name: "Remove ana?" }).getByRole("button", { name: "Remove", exact: true }).click();
  await users.getByText("0 users, and who runs the node").waitFor();
  await log.getByText("DELETE /v1/users/ana").waitFor();
  expect(!bad || bad.length === 0, `axe: ${bad}`);
  return {};
});

async function invite(page, life) {
  await page.keyboard.press("i");
  await page.getByLabel("Good for").selectOption(life);
  await page.getByRole("button", { name: "Make the invitation" }).click();
  await page.locator("pre.command").waitFor();
}
