/** A daemon wakes for whatever stores something in a Fossil repository. Its poll is so rare here that it finds nothing. */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { FileWatch } from "../../src/backoffice/watch.ts";
import { openFossil } from "../../src/vcs/fossil.ts";
import { until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, startServer } from "../helpers/daemon.ts";
import { checkIns, enterFossil, incompletePush, makeFossilWorld, watchFossil } from "../helpers/fossil.ts";
import { leave, type Watched } from "../helpers/served.ts";
import { another } from "../vcs/fossil-stand.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => leave(world));

endDaemonsAfterEach();

const keep = (r: Watched): string => `cat >> '${r.file(`got-${r.row.id}`)}'`;
const gets = (r: Watched, what: string): Promise<unknown> => {
  const file = r.file(`got-${r.row.id}`);
  return until(`the hook gets ${what}`, () => fs.existsSync(file) && fs.readFileSync(file, "utf8").includes(what));
};

test("Fossil's D22: a push over HTTP, a push by path and a local commit wake it alike", async () => {
  const r = await watchFossil(world);
  r.hook(keep(r));
  await startServer(r);
  const server = await world.server(r.path);
  const c = world.apart(r.path);
  const byUrl = world.checkIn(c);
  world.push(c, server.url);
  await gets(r, byUrl);
  await server.stop();
  const byPath = world.checkIn(c);
  world.push(c, r.path);
  await gets(r, byPath);
  const local = world.checkIn(world.open(r.path));
  await gets(r, local);
  world.wiki(r.path, "Page");
  await gets(r, ' wiki "Page"');
  expect(checkIns(r.read(`got-${r.row.id}`))).toEqual([byUrl, byPath, local]);
});

test("Fossil's D21: a commit in WAL mode wakes it while somebody reads, and the main file stays as it was", async () => {
  const r = await watchFossil(world);
  world.fossil(["rebuild", "--wal", r.path]);
  r.hook(keep(r));
  await startServer(r);
  const reader = await another(r.path, 'db.exec("BEGIN"); db.prepare("SELECT count(*) FROM blob").get()');
  const w = world.open(r.path);
  const before = fs.statSync(r.path).mtimeMs;
  for (let n = 0; n < 3; n++) await gets(r, world.checkIn(w));
  expect(fs.statSync(r.path).mtimeMs).toBe(before);
  await reader.kill();
});

test("Fossil's D19: the end of a transfer wakes it, and so does the end of the time it waits for", async () => {
  const r = await watchFossil(world);
  r.hook(keep(r));
  await startServer(r);
  const push = incompletePush(world, r.path);
  await until("it waits", () => r.repository().embargo !== null);
  expect(r.runs()).toEqual([]);
  world.push(push.c, r.path);
  await gets(r, push.checkIn);

  const soon = Math.ceil(Date.now() / 1000) + 2;
  world.sql(r.path, `REPLACE INTO config(name, value, mtime) VALUES('hook-embargo', ${soon}, 0)`);
  world.wiki(r.path, "Late");
  await gets(r, ' wiki "Late"');
  expect(r.batches().at(-1)?.cutAt).toBeGreaterThanOrEqual(soon * 1000);
});

test("a repository that is registered while it runs is served from then on", async () => {
  const home = world.at("home");
  const first = await watchFossil(world, { home });
  await startServer(first);
  const add = ["hook", "add", "--home", home, "--all", "--type", "after-receive"];
  expect(world.gatepost([...add, "--command", `cat >> '${world.at("second")}'`]).code).toBe(0);
  await until("the daemon has heard of the hook", () => !fs.existsSync(`${home}/spool/ring`));
  const file = world.repository("elsewhere/second.fossil");
  expect(world.gatepost(["init", "--home", home, file]).code).toBe(0);
  await until("the daemon has heard of the repository", () => !fs.existsSync(`${home}/spool/ring`));
  world.wiki(file, "one");
  const got = (): string => (fs.existsSync(world.at("second")) ? fs.readFileSync(world.at("second"), "utf8") : "");
  await until("its hook ran", () => got().endsWith("\n"));
  expect(got()).toMatch(/^\w{64} wiki "one"\n$/);
});

test("of many repositories in one folder each is told apart, whatever it is called", async () => {
  const home = world.at("many-home");
  const names = ["a.fossil", "a.fossil-wal.fossil", "b c'\"$(x).fossil", "é.fossil", "a.fossi", "a"];
  const all: Watched[] = [];
  for (const name of names) all.push(await watchFossil(world, { file: world.repository(`many/${name}`), home }));
  for (const r of all) r.hook(keep(r));
  await startServer(all[0] as Watched);
  await Promise.all(
    all.map((r) => {
      world.wiki(r.path, `of ${r.row.id}`);
      return gets(r, "wiki");
    }),
  );
  for (const r of all) expect(r.read(`got-${r.row.id}`)).toMatch(new RegExp(`^\\w{64} wiki "of ${r.row.id}"\n$`));
});

test("R9: a restored backup wakes it, and what comes behind it is handed out", async () => {
  const r = await watchFossil(world);
  r.hook(keep(r));
  await startServer(r);
  const backup = world.at("backup");
  fs.copyFileSync(r.path, backup);
  world.wiki(r.path, "lost");
  await gets(r, "lost");
  const read = r.repository().watermark;
  fs.renameSync(backup, r.path);
  await until("it has looked", () => r.repository().watermark !== read);
  world.wiki(r.path, "after");
  await gets(r, "after");
  expect(r.repository().parked).toBeNull();
});

test("reading in WAL mode, which makes files and takes them away, is no news to the one that reads", async () => {
  const [wal, marker] = [world.repository("watch/wal.fossil"), world.repository("watch/marker.fossil")];
  world.fossil(["rebuild", "--wal", wal]);
  const told = new Map<number, number>();
  const watching = new FileWatch((id) => told.set(id, (told.get(id) ?? 0) + 1));
  const row = (await watchFossil(world)).row;
  const one = (id: number, path: string) => ({
    row: { ...row, id: id as typeof row.id, path },
    repository: openFossil(path),
  });
  watching.follow([one(1, wal), one(2, marker)]);
  try {
    for (let n = 1; n <= 5; n++) {
      await openFossil(wal).arrivals(null, []);
      world.wiki(marker);
      await until("the marker is told of", () => (told.get(2) ?? 0) >= n);
    }
    expect(told.get(1) ?? 0, "the first sight at most").toBeLessThanOrEqual(1);
    world.wiki(wal);
    const before = told.get(1) ?? 0;
    await until("a page is news", () => (told.get(1) ?? 0) > before);
  } finally {
    watching.close();
  }
});
