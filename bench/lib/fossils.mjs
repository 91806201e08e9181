/** Fossil repositories for the benchmarks, worked on by the real fossil, and a server of it on the loopback. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { progress } from "./report.mjs";

/** Makes fossil work in this place, with nothing of this user's; false, and said, where there is none. */
export function enterFossil(place) {
  Object.assign(place.env, { FOSSIL_HOME: place.env.HOME, USER: "bench" });
  if (spawnSync("fossil", ["version"]).status === 0) return true;
  console.log("  fossil is not installed (Debian: apt install fossil): without its figures no ratio to it.");
  return false;
}

/** `count` repositories, all copies of one, in a folder of their own; gives their paths. They are young: until a second
 *  has passed their fingerprints count as unsure. */
export function makeFossils(place, folder, count) {
  mkdirSync(place.path(folder));
  const model = place.path(folder, "model.fossil");
  place.run("fossil", ["new", "--admin-user", "bench", model]);
  return Array.from({ length: count }, (_, i) => {
    if (i % 100 === 0) progress(`making Fossil repositories: ${i} of ${count}`);
    const path = place.path(folder, `r${String(i).padStart(5, "0")}.fossil`);
    cpSync(model, path);
    return path;
  });
}

const servers = new Set();
process.on("exit", () => {
  for (const child of servers) child.kill("SIGTERM");
});

/** Serves a repository over HTTP: `url` is for its user bench, whose password is `pw`, `anyone` for everybody. */
export async function serveFossil(place, file) {
  const port = await freePort();
  // --nojail: a server that root starts would else shut itself up in a folder without /bin/sh, and run no hook
  const child = spawn("fossil", ["server", "--nojail", "--localhost", "--port", `${port}`, file], {
    cwd: place.dir,
    env: place.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  servers.add(child);
  const ended = once(child, "exit");
  await Promise.race([
    once(child.stdout, "data"), // it says that it listens
    ended.then(() => {
      throw new Error("fossil server ended");
    }),
  ]);
  return {
    url: `http://bench:pw@127.0.0.1:${port}/`,
    anyone: `http://127.0.0.1:${port}/`,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      servers.delete(child);
    },
  };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Checks a repository out. The function that it gives adds a file and returns fossil's arguments to commit it. */
export function checkOut(place, file, name) {
  const root = place.path(name);
  mkdirSync(root);
  const fossil = (...args) => place.run("fossil", ["--chdir", root, ...args]);
  fossil("open", file, "--nosync");
  let count = 0;
  return () => {
    const name = `f${++count}`;
    writeFileSync(join(root, name), `${name}\n`);
    fossil("add", name);
    return ["--chdir", root, "commit", "-m", name, "--no-warnings"];
  };
}
