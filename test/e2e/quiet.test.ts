/** Quiet: cron mails what a pass prints, so a pass prints nothing when all is well, and each trouble once. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { pauseRepositories } from "../../src/home/pause.ts";
import { makeWorld, silent, until } from "../helpers/cli.ts";
import { enter, leave, serve } from "../helpers/served.ts";

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

/** What cron would mail: a pass over everything that is registered, from a folder in no repository. */
const mail = () => world.gatepost(["backoffice"], { cwd: world.at("user") });

test("cron's mail stays empty over push, pass and pass, with two homes, a pause, an embargo and a skipped run", async () => {
  const home = world.at("home");
  const [one, two, held] = [await serve(world, { home }), await serve(world), await serve(world, { home })];
  for (const r of [one, two, held]) {
    r.hook(`cat >> '${r.file(`got-${r.row.id}`)}'`);
    r.hook("true", { refs: ["refs/heads/never"] });
  }
  expect(mail()).toEqual(silent);
  pauseRepositories(held.home, [held.row], "migration");
  for (const r of [one, two, held]) r.push();
  expect(mail()).toEqual(silent);
  expect(mail()).toEqual(silent);
  expect([one, two, held].map((r) => r.batches().length)).toEqual([1, 1, 0]);
  one.push({ files: { a: "1" }, args: ["-o", "gatepost.more"] });
  expect(mail()).toEqual(silent);
  expect(one.batches(), "an embargo holds").toHaveLength(1);
});

test("a repository that is gone, and an entry that nobody can read, are told of once", async () => {
  const r = await serve(world, { home: world.at("another") });
  r.hook("true");
  expect(mail()).toEqual(silent);
  fs.renameSync(r.path, `${r.path}.away`);
  fs.writeFileSync(join(r.home.layout.spool, "strange.entry"), "gatepost 1\nkind nonsense\nend 0\n");
  const told = mail();
  expect(told.stderr).toContain("cannot be looked at");
  expect(told.stderr).toContain("strange.entry set aside");
  expect(mail()).toEqual(silent);
  fs.renameSync(`${r.path}.away`, r.path);
  expect(mail()).toEqual(silent);
});

test("a hook that fails is in the list of runs and in no mail, until it is parked: then once", async () => {
  const r = await serve(world, { home: world.at("third") });
  r.set("retry-base", "2s");
  r.hook("exit 1", { retries: 1 });
  r.push();
  expect(mail()).toEqual(silent);
  const told = await until("it is parked", () => {
    const { stderr } = mail();
    return stderr !== "" && stderr;
  });
  expect(told).toMatch(/^gatepost: .*run a-\d+ is parked: exit 1, after 2 attempts\n$/);
  expect(mail()).toEqual(silent);
});

test("a push whose backoffice could not work is safe, and the next one is told why in one line, by anyone who may push", async () => {
  const r = await serve(world, { home: world.at("shared") });
  r.hook("true");
  r.set("automatic-backoffice", "on");
  fs.writeFileSync(r.home.layout.shared, "");
  const { database, failed } = r.home.layout;
  r.home.db.sqlite.close();
  const kept = fs.readFileSync(database);
  for (const end of ["-wal", "-shm"]) fs.rmSync(database + end, { force: true });
  fs.writeFileSync(database, "no database at all\n".repeat(200));
  const push = (n: number) => {
    world.commit(r.clone, { a: String(n) });
    return world.run(["git", "push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: r.clone });
  };
  expect(push(1)).toEqual(silent);
  await until("the backoffice that it started has said why it could not work", () => fs.existsSync(failed));
  expect(fs.statSync(failed).mode & 0o044).toBe(0o044);
  await until("its start is over", () => {
    const second = push(2);
    expect(second.code).toBe(0);
    return /^remote: gatepost: this push is safe, but the last backoffice could not work: .* is not a Gatepost database: .*\n$/.test(
      second.stderr.replace(/ +\n/g, "\n"),
    );
  });
  fs.writeFileSync(database, kept);
  expect(r.spool().length).toBeGreaterThanOrEqual(2);
});
