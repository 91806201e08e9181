/**
 * The forge over HTTP, on loopback only: it knows no passwords.
 *
 *   GET  /                    a page: repositories, runs, and pushes as they are indexed
 *   POST /repositories/NAME   makes a repository
 *   GET  /index /runs /repositories     the same as JSON
 *   GET  /pushes              pushes as they are indexed (server-sent events)
 *        /NAME.git/…          git
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { GatepostError } from "gatepost";
import { Refusal } from "./forge.mjs";
import { answerGit } from "./git-http.mjs";
import { page } from "./page.mjs";

/** Listens; `port` 0 takes a free one. */
export async function listen(forge, port) {
  const server = createServer((request, response) => {
    answer(forge, request, response).catch((error) => {
      // A GatepostError says what is wrong and what to do; anything else is a bug of ours.
      const status = error instanceof Refusal ? error.status : error instanceof GatepostError ? 503 : 500;
      if (status === 500) console.error(error);
      if (!response.headersSent) response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
      response.end(status === 500 ? "This went wrong.\n" : `${error.message}\n`);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.close();
    server.closeAllConnections();
  };
  return { port: server.address().port, close };
}

async function answer(forge, request, response) {
  const { pathname, search } = new URL(request.url, "http://forge");
  const asked = `${request.method} ${pathname}`;
  const git = /^\/[a-z0-9-]+\.git\/(?:info\/refs|git-upload-pack|git-receive-pack)$/.test(pathname);
  const created = /^POST \/repositories\/([^/]+)$/.exec(asked);
  const user = userOf(request);
  if (git && user === null && /git-receive-pack/.test(request.url)) askForName(response);
  else if (git) answerGit(request, response, { root: forge.dir, path: pathname, query: search.slice(1), user });
  else if (created !== null) json(response, { repository: await forge.create(created[1]) }, 201);
  else if (asked === "GET /") html(response, page(await forge.repositories(), await forge.runs(), forge.index()));
  else if (asked === "GET /index") json(response, forge.index());
  else if (asked === "GET /runs") json(response, await forge.runs());
  else if (asked === "GET /repositories") json(response, await forge.repositories());
  else if (asked === "GET /pushes") stream(forge, response);
  else throw new Refusal(404, "There is nothing here.");
}

/** Whoever the client says it is. A real forge looks at the password, too. */
function userOf({ headers: { authorization = "" } }) {
  const word = /^Basic (.*)$/.exec(authorization)?.[1] ?? "";
  return Buffer.from(word, "base64").toString("utf8").split(":")[0] || null;
}

/** git says who its user is only when it is asked. */
const askForName = (response) => response.writeHead(401, { "www-authenticate": 'Basic realm="forge"' }).end();

function stream(forge, response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": pushes follow\n\n");
  const tell = (entry) => response.write(`data: ${JSON.stringify(entry)}\n\n`);
  forge.on("indexed", tell);
  response.on("close", () => forge.off("indexed", tell));
}

const json = (response, value, status = 200) =>
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(value)}\n`);

const html = (response, text) => response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(text);
