/** Git over HTTP: hands a request to git's own `http-backend`, a CGI program, and its answer back. */
import { spawn } from "node:child_process";

/** Answers one request of a git client. `user` is who the forge says it is (null: nobody), and becomes the receipt's user. */
export function answerGit(request, response, { root, path, query, user }) {
  const { headers } = request;
  const child = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      XDG_STATE_HOME: process.env.XDG_STATE_HOME ?? "",
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: headers["git-protocol"] ?? "",
      REQUEST_METHOD: request.method,
      PATH_INFO: path,
      QUERY_STRING: query,
      CONTENT_TYPE: headers["content-type"] ?? "",
      CONTENT_LENGTH: headers["content-length"] ?? "",
      HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
      REMOTE_USER: user ?? "",
      REMOTE_ADDR: request.socket.remoteAddress ?? "",
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.on("error", () => response.headersSent || response.writeHead(500).end());
  child.stdin.on("error", () => {}); // it need not read all of it
  request.pipe(child.stdin);
  response.on("close", () => {
    if (!request.complete) child.kill(); // the client went away in the middle: git would wait for the rest, or spin
    child.stdout.destroy();
  });
  passOn(child.stdout, response);
}

/** A CGI answer: lines of header, an empty line, the body. */
function passOn(stdout, response) {
  let head = Buffer.alloc(0);
  const onData = (chunk) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    stdout.off("data", onData);
    stdout.pause();
    const fields = head.subarray(0, end).toString("latin1").split("\r\n");
    const headers = Object.fromEntries(fields.map((field) => field.split(/: (.*)/s, 2)));
    const { Status: status = "200 OK", ...rest } = headers;
    response.writeHead(Number.parseInt(status, 10), rest);
    response.write(head.subarray(end + 4));
    stdout.pipe(response);
  };
  stdout.on("data", onData);
  stdout.once("end", () => response.headersSent || response.writeHead(500).end());
}
