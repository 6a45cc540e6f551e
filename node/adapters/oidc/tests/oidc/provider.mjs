// A real OpenID provider on loopback: node provider.mjs <folder of oidc-provider> <redirect uri>. Prints its port.
import http from "node:http";
import { pathToFileURL } from "node:url";

const [, , folder, redirect] = process.argv;
const { Provider } = await import(pathToFileURL(`${folder}/lib/index.js`).href);
const server = http.createServer((request, response) => answer(request, response));
let answer;
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{ client_id: "ikigai", client_secret: "a secret of the test", redirect_uris: [redirect] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    cookies: { keys: ["of this test"] },
    pkce: { required: () => true },
    ttl: { AuthorizationCode: 60, IdToken: 3600, AccessToken: 60, Interaction: 60, Session: 60, Grant: 60 },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: id !== "mallory" }),
    }),
  });
  answer = provider.callback();
  console.log(port);
});
process.stdin.on("end", () => process.exit()).resume();
