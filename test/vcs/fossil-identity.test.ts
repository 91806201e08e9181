import fs from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { findFossil, identifyFossil } from "../../src/vcs/fossil/identity.ts";
import { everything } from "../helpers/untouched.ts";
import { another, checkout, connect, fossil, repository, temporary } from "./fossil-stand.ts";

it("a repository is known by its project code, and its name, owner and hooks are told", async () => {
  const file = repository();
  const plain = await identifyFossil(file);
  const stat = fs.statSync(file);
  expect(plain).toEqual({
    file,
    inode: stat.ino,
    projectCode: /project-code: (\S+)/.exec(fossil("/", "info", "-R", file))?.[1],
    projectName: null,
    owner: stat.uid,
    groupWritable: false,
    hookList: null,
  });
  fossil("/", "hook", "add", "--type", "after-receive", "--command", "true", "-R", file);
  fossil("/", "hook", "add", "--type", "disabled", "--command", "true", "-R", file);
  fossil("/", "sql", "-R", file, "REPLACE INTO config(name, value) VALUES('project-name', 'Büro')");
  fs.chmodSync(file, 0o664);
  expect(await identifyFossil(file)).toEqual({
    ...plain,
    projectName: "Büro",
    groupWritable: true,
    hookList: expect.stringMatching(/^\[.*\]$/),
  });
});

it("a clone has the same project code", async () => {
  const file = repository();
  const copy = path.join(temporary(), "clone.fossil");
  fossil("/", "clone", file, copy);
  expect((await identifyFossil(copy)).projectCode).toBe((await identifyFossil(file)).projectCode);
});

it("a repository without a project code is refused", async () => {
  const file = repository();
  const db = connect(file);
  db.exec("DELETE FROM config WHERE name = 'project-code'");
  db.close();
  await expect(identifyFossil(file)).rejects.toMatchObject({ code: "GP_REPOSITORY" });
});

it("a link leads to the real file", async () => {
  const file = repository();
  const link = path.join(temporary(), "link");
  fs.symlinkSync(file, link);
  expect((await identifyFossil(link)).file).toBe(file);
  expect(findFossil(link)).toEqual({ file, checkout: null });
});

it("a repository's file is found under any name", () => {
  const file = repository({ name: "without-suffix" });
  expect(findFossil(file)).toEqual({ file, checkout: null });
});

it("an old repository, which does not say what it is, is found by its suffix", () => {
  const file = repository();
  const db = connect(file);
  db.pragma("application_id = 0");
  db.close();
  expect(findFossil(file)).toEqual({ file, checkout: null });
});

it("a file that only claims to be one by its suffix is found too, so that the reason can be told", async () => {
  const file = path.join(temporary(), "x.fossil");
  fs.writeFileSync(file, "rubbish");
  expect(findFossil(file)).toEqual({ file, checkout: null });
  await expect(identifyFossil(file)).rejects.toMatchObject({ code: "GP_NO_REPOSITORY" });
});

it("other files and folders, and what is not there, are not found", () => {
  const folder = temporary();
  const text = path.join(folder, "text");
  fs.writeFileSync(text, "text");
  for (const at of [folder, text, path.join(folder, "no"), "/dev/null"]) expect(findFossil(at)).toBeNull();
});

it("a check-out, a folder deep in it and its own database lead to the repository", () => {
  const file = repository();
  const root = checkout(file);
  const deep = path.join(root, "a/b/c");
  fs.mkdirSync(deep, { recursive: true });
  const own = path.join(root, fs.readdirSync(root).find((name) => name !== "a") ?? "");
  const before = everything(root);
  for (const at of [root, deep, own]) expect(findFossil(at)).toEqual({ file, checkout: root });
  expect(everything(root)).toEqual(before);
});

it.each(["_FOSSIL_", ".fslckout", ".fos"])("a check-out's database may be called %s", (name) => {
  const file = repository();
  const root = checkout(file);
  const own = fs.readdirSync(root)[0] ?? "";
  fs.renameSync(path.join(root, own), path.join(root, name));
  expect(findFossil(root)).toEqual({ file, checkout: root });
});

it("a relative name in a check-out's database starts at the check-out's root", () => {
  const file = repository();
  const root = checkout(file);
  const db = connect(path.join(root, fs.readdirSync(root)[0] ?? ""));
  db.prepare("UPDATE vvar SET value = ? WHERE name = 'repository'").run(path.relative(root, file));
  db.close();
  fs.mkdirSync(path.join(root, "d"));
  expect(findFossil(path.join(root, "d"))).toEqual({ file, checkout: root });
});

it("a check-out whose repository is gone says where that was", async () => {
  const file = repository();
  const root = checkout(file);
  fs.rmSync(file);
  expect(findFossil(root)).toEqual({ file, checkout: root });
  await expect(identifyFossil(file)).rejects.toMatchObject({ code: "GP_NO_REPOSITORY" });
});

it("a file that has only the name of a check-out's database is passed over", () => {
  const file = repository();
  const root = checkout(file);
  const inner = path.join(root, "inner");
  fs.mkdirSync(inner);
  for (const content of ["", "rubbish", Buffer.from("SQLite format 3\0".padEnd(2000, "x"))]) {
    fs.writeFileSync(path.join(inner, ".fslckout"), content);
    expect(findFossil(inner)).toEqual({ file, checkout: root });
  }
  const db = connect(path.join(inner, "_FOSSIL_"));
  db.exec("CREATE TABLE t(x)");
  db.close();
  expect(findFossil(inner)).toEqual({ file, checkout: root });
});

it("a check-out that is locked for long is said to be", async () => {
  const root = checkout(repository());
  const own = path.join(root, fs.readdirSync(root)[0] ?? "");
  const other = await another(own, `db.exec("BEGIN EXCLUSIVE")`);
  try {
    expect(() => findFossil(root)).toThrow(expect.objectContaining({ code: "GP_BUSY" }));
  } finally {
    await other.kill();
  }
});
