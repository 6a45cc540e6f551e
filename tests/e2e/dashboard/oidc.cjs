// People come in by an identity provider: one whom the node does not know, then as a user, then no more.
//
// usage: node oidc.cjs <address of the node> <what the provider is called>
// Says `{"step":"unknown","said":"…"}` when somebody was refused who may be made a user now, and `{"step":"in"}` when
// that user may be removed, then one line with what it saw; exits 0 when all of it holds.
"use strict";

const { expect, run, serious } = require("./browser.cjs");

const [, , node, name] = process.argv;

run({ only: node }, async (page, context) => {
  page.setDefaultTimeout(30_000);
  await page.goto(node);
  const bad = await serious(page);
  const leave = page.getByRole("button", { name: `Log in with ${name}` });
  await leave.click();
  await logIn(page, "eve");
  const said = page.getByRole("alert");
  await said.getByText("eve is no user of this node").waitFor();
  expect(!page.url().includes("code="), `the code is still in the address: ${page.url()}`);
  console.log(JSON.stringify({ step: "unknown", said: await said.textContent() }));

  // The provider still has its own session; only consent is asked again, or nothing.
  await leave.click();
  await page.waitForSelector("main#page h1");
  await page.reload();
  await page.waitForSelector("main#page h1");
  const may = await page.evaluate(async () => (await fetch("/v1/session")).status);
  expect(may === 401, `a request without the page's half of the session is answered ${may}`);

  // An address that another browser began logs nobody in.
  const back = await begun(context);
  const stranger = await context.newPage();
  await stranger.goto(back);
  await stranger.getByText("was not begun in this browser").waitFor();
  await stranger.close();

  console.log(JSON.stringify({ step: "in" }));
  await page.getByText("This browser has no session with the node").waitFor();
  return { axe: bad };
});

// Fills in the provider's own form, and agrees that the node is told who it is.
async function logIn(page, who) {
  await page.getByPlaceholder("Enter any login").fill(who);
  await page.getByPlaceholder("and password").fill("x");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

// The address that the provider sends a browser back to, which knows who this is; the cookie it left with is gone.
async function begun(context) {
  const { url } = await (await context.request.get(`${node}/v1/session/oidc`)).json();
  let to = url;
  while (!to.startsWith(`${node}/login?`)) {
    const answer = await context.request.get(to, { maxRedirects: 0 });
    const next = answer.headers().location;
    expect(next, `${to} is answered ${answer.status()}, not by a redirect`);
    to = new URL(next, to).href;
  }
  const kept = (await context.cookies(`${node}/v1/session/oidc`)).filter((cookie) => cookie.name.endsWith("-oidc"));
  expect(kept.length === 1 && kept[0].httpOnly && kept[0].sameSite === "Strict", "the browser keeps what it left with badly");
  await context.clearCookies({ name: kept[0].name });
  return to;
}
