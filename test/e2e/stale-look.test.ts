import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeWorld, until } from "../helpers/cli.ts";
import { backdate, enter, entry, leave, serve, zero } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

/** Puts a git before the real one that lists refs and hands them over only when it may. */
function slowGit(): { hasRead: () => boolean; goOn: () => void; leave: () => void } {
  const [folder, read, go] = [world.at("slow"), world.at("read"), world.at("go")];
  fs.mkdirSync(folder);
  const path = process.env["PATH"] ?? "";
  const text = `#!/bin/sh
PATH='${path}'
case " $* " in *" for-each-ref "*) ;; *) exec git "$@" ;; esac
[ ! -e '${go}' ] || exec git "$@"
refs=$(git "$@") && : >'${read}'
while [ ! -e '${go}' ]; do sleep 0.01; done
[ -z "$refs" ] || printf '%s\\n' "$refs"
`;
  fs.writeFileSync(join(folder, "git"), text, { mode: 0o755 });
  process.env["PATH"] = `${folder}:${path}`;
  return {
    hasRead: () => fs.existsSync(read),
    goOn: () => fs.writeFileSync(go, ""),
    leave: () => {
      process.env["PATH"] = path;
    },
  };
}

test("A3: a push that comes when the refs have been read is not judged by them, however long the look then takes", async () => {
  const r = await serve(world);
  const first = r.push({ env: { GL_USER: "alice" } });
  const git = slowGit();
  try {
    const passing = r.pass();
    await until("the refs have been read", git.hasRead);
    const second = r.push({ env: { GL_USER: "bob" } });
    const late = r.push({ to: "other", env: { GL_USER: "carol" } });
    // Long ago, by all that the look can see.
    for (const file of r.spool()) backdate(file, 60_000);
    git.goOn();
    await passing;
    await r.pass();
    expect(r.receipts().map(({ source, user, updates }) => [source, user, ...updates])).toEqual(
      expect.arrayContaining([
        ["push", "alice", entry("refs/heads/main", r.start, first)],
        ["push", "bob", entry("refs/heads/main", first, second)],
        ["push", "carol", entry("refs/heads/other", zero, late)],
      ]),
    );
    expect(r.receipts()).toHaveLength(3);
  } finally {
    git.leave();
  }
});
