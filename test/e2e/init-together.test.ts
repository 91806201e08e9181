/** `gatepost init` by many processes at the same time. */
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { readRegister } from "../../src/home/register.ts";
import { makeWorld } from "../helpers/cli.ts";

const world = makeWorld();
afterAll(() => world.remove());

const eight = Array.from({ length: 8 }, (_, n) => n);
const rows = (home: string, sql: string): unknown[] => {
  const db = new SQLite(join(home, "gatepost.db"), { readonly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
};
const registered = (): string[] =>
  readRegister(join(world.env["XDG_STATE_HOME"] ?? "", "gatepost", "homes")).map(({ path }) => path);

describe("A8: eight calls at the same time", () => {
  it("for one repository agree: one home, one entry, each ref once, and the hook that was there still runs", async () => {
    const app = world.bare();
    const clone = world.clone(app);
    world.commit(clone, { a: "a" });
    world.git(["push", "-q", "origin", "main"], { cwd: clone });
    const earlier = "#!/bin/sh\ncat > earlier\n";
    fs.writeFileSync(join(app, "hooks", "post-receive"), earlier, { mode: 0o755 });

    const outcomes = await Promise.all(eight.map(() => world.call(["init", app])));
    expect(outcomes.map(({ code }) => code)).toEqual(eight.map(() => 0));
    const home = join(app, "gatepost");
    const said = outcomes.map(({ stdout }) => stdout);
    expect(said.filter((text) => text.startsWith("app.git: registered (git, bare, 1 ref)"))).toHaveLength(1);
    expect(rows(home, "SELECT name, path FROM repository")).toEqual([{ name: "app.git", path: app }]);
    expect(rows(home, "SELECT CAST(name AS TEXT) AS name FROM ref")).toEqual([{ name: "refs/heads/main" }]);
    expect(registered()).toEqual([home]);

    world.commit(clone, { a: "b" });
    world.git(["push", "-q", "origin", "main"], { cwd: clone });
    expect(fs.readFileSync(join(app, "earlier"), "utf8")).toMatch(/ refs\/heads\/main\n$/);
    expect(world.gatepost(["uninstall", "-R", app]).code).toBe(0);
    expect(fs.readFileSync(join(app, "hooks", "post-receive"), "utf8")).toBe(earlier);
  });

  it("for eight repositories leave all of them registered", async () => {
    const paths = eight.map((n) => world.bare(`r${n}.git`));
    const outcomes = await Promise.all(paths.map((path) => world.call(["init", path])));
    expect(outcomes.map(({ code }) => code)).toEqual(eight.map(() => 0));
    expect(registered()).toEqual(expect.arrayContaining(paths.map((path) => join(path, "gatepost"))));
  });

  it("for eight repositories of one home leave all of them in its table", async () => {
    const paths = eight.map((n) => world.bare(`s${n}.git`));
    const home = world.at("home");
    const outcomes = await Promise.all(paths.map((path) => world.call(["init", "--home", home, path])));
    expect(outcomes.map(({ code, stderr }) => [code, stderr.split("\n")[0]?.startsWith("Next: ")])).toEqual(
      eight.map(() => [0, true]),
    );
    expect(rows(home, "SELECT path FROM repository ORDER BY path")).toEqual(paths.map((path) => ({ path })));
  });
});
