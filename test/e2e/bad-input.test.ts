/** Every wrong call: one sentence, one hint, the exit code, and nothing changed. */

import * as fs from "node:fs";
import { basename, join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SCHEMA_VERSION } from "../../src/store/database.ts";
import { fails, makeWorld, program } from "../helpers/cli.ts";
import { picture, wrongCalls } from "../helpers/wrong-calls.ts";

const world = makeWorld();
const [app, bare, plain] = [world.at("app.git"), world.at("other.git"), world.at("plain")];

let before: Record<string, string>;
const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const root = process.geteuid?.() === 0;
const broken = ["empty", "text", "foreign", "newer", "torn"].map((name) => world.at(`${name}.git`));
const locked = world.at("locked.git");

beforeAll(() => {
  fs.chmodSync(world.dir, 0o755);
  fs.mkdirSync(plain);
  world.bare("app.git");
  world.bare("other.git");
  const names = broken.map((path) => world.bare(basename(path)));
  world.bare(basename(locked));
  expect(world.gatepost(["init", app, locked, ...names]).code).toBe(0);
  if (root) world.run(["chown", "-R", "65534:65534", locked]);
  fs.chmodSync(join(locked, "gatepost"), 0o500);
  const [empty, text, foreign, newer, torn] = broken.map((path) => join(path, "gatepost", "gatepost.db"));
  fs.truncateSync(empty as string);
  fs.writeFileSync(text as string, "a file of somebody else's, and longer than the header of a database".repeat(9));
  fs.rmSync(foreign as string);
  for (const [file, sql] of [
    [foreign, "CREATE TABLE theirs (x)"],
    [newer, "PRAGMA user_version = 99"],
  ])
    new SQLite(file).exec(sql as string).close();
  const bytes = fs.readFileSync(torn as string);
  fs.writeFileSync(torn as string, bytes.fill("x", 4096));
  const add = ["hook", "add", "-R", app, "--type", "after-receive", "--command"];
  expect(world.gatepost([...add, "echo one", "--name", "one"]).code).toBe(0);
  before = picture(world.dir);
});

afterAll(() => {
  const changed = picture(world.dir);
  world.remove();
  expect(changed).toEqual(before);
});

const usage = (command: string): string => `How to call it: gatepost ${command} --help\n`;
const noHook = (word: string): string =>
  `gatepost: There is no hook "${word}".\nThe hooks there are: gatepost hook list\n`;

wrongCalls(world, "wrong words", app, [
  [
    "bogus",
    2,
    'gatepost: "bogus" is not a command.\nOne of: init hook backoffice serve runs status pause resume why doctor backup check commit settings service uninstall demo completion. More: gatepost --help\n',
  ],
  [
    "hook bogus",
    2,
    'gatepost: "bogus" is not a command.\nOne of: add edit delete enable disable apply import list status types export test. More: gatepost hook --help\n',
  ],
  [
    "hook LIST",
    2,
    'gatepost: "LIST" is not a command.\nOne of: add edit delete enable disable apply import list status types export test. More: gatepost hook --help\n',
  ],
  [
    "hook ''",
    2,
    'gatepost: "" is not a command.\nOne of: add edit delete enable disable apply import list status types export test. More: gatepost hook --help\n',
  ],
  ["hook list --bogus", 2, `gatepost: Unknown option '--bogus'.\n${usage("hook list")}`],
  ["hook status --bogus", 2, `gatepost: Unknown option '--bogus'.\n${usage("hook status")}`],
  [
    "hook list more",
    2,
    `gatepost: Too many arguments for 'list'. Expected 0 arguments but got 1.\n${usage("hook list")}`,
  ],
  [
    "hook add word --type disabled --command :",
    2,
    `gatepost: Too many arguments for 'add'. Expected 0 arguments but got 1.\n${usage("hook add")}`,
  ],
  [
    "hook add --type disabled --command",
    2,
    `gatepost: Option '--command <COMMAND>' argument missing.\n${usage("hook add")}`,
  ],
  ["hook edit", 2, `gatepost: Missing required argument 'ID'.\n${usage("hook edit")}`],
  ["hook edit --type disabled", 2, `gatepost: Missing required argument 'ID'.\n${usage("hook edit")}`],
  ["hook delete", 2, `gatepost: Missing required argument 'ID'.\n${usage("hook delete")}`],
  ["hook test", 2, `gatepost: Missing required argument 'ID'.\n${usage("hook test")}`],
  [
    "hook test one one",
    2,
    `gatepost: Too many arguments for 'test'. Expected 1 argument but got 2.\n${usage("hook test")}`,
  ],
]);

wrongCalls(world, "wrong ids", app, [
  ["hook edit --sequence 7 99", 3, noHook("99")],
  ["hook edit --sequence 7 x1", 3, noHook("x1")],
  ["hook edit --sequence 7 0", 3, noHook("0")],
  ["hook delete 1 99", 3, noHook("99")],
  ["hook delete -1", 3, noHook("-1")],
  ["hook delete ''", 3, noHook("")],
  ["hook delete 4294967297", 3, noHook("4294967297")],
  ["hook delete 1.0", 3, noHook("1.0")],
  [
    "hook delete 1 all",
    2,
    'gatepost: "all" stands for every hook; nothing can stand beside it.\nName single hooks, or all, not both.\n',
  ],
  ["hook disable 99", 3, noHook("99")],
  ["hook export 99", 3, noHook("99")],
  ["hook test abc", 3, noHook("abc")],
  ["hook test one --new-rcvid 999", 2, "gatepost: Receipt 999 is none of app.git.\nIt has no receipts yet.\n"],
  [
    "hook test one --base-rcvid abc",
    2,
    'gatepost: --base-rcvid takes a whole number of at least 0, not "abc".\nSuch as --base-rcvid 3\n',
  ],
  ["runs show 5", 3, "gatepost: There is no run 5.\nThe latest runs: gatepost runs\n"],
  ["runs show x", 3, 'gatepost: "x" is not the id of a run.\nThe latest runs: gatepost runs\n'],
  ["runs --hook 99", 3, noHook("99")],
]);

const noGit = "Name a work tree, a bare repository or a .git directory.\n";

wrongCalls(world, "wrong places", plain, [
  [
    "hook list",
    3,
    "gatepost: This folder is in no repository.\nName one with -R REPOSITORY, or a home with --home DIR.\n",
  ],
  [
    "hook list -R .",
    3,
    `gatepost: ${plain} is in no repository.\nName the path of a repository; its name is understood beside --home DIR.\n`,
  ],
  [
    "hook list -R none",
    3,
    `gatepost: There is nothing at ${plain}/none.\nName the path of a repository; its name is understood beside --home DIR.\n`,
  ],
  ["hook list -R ../other.git", 3, `gatepost: ${bare} is not registered.\nRegister it: gatepost init ../other.git\n`],
  [
    "hook list --home .",
    3,
    `gatepost: ${plain} is no Gatepost home.\nA home is made by: gatepost init --home DIR REPOSITORY…\n`,
  ],
  [
    "hook list --home ../app.git/gatepost -R other.git",
    3,
    `gatepost: other.git is not registered in the home ${app}/gatepost.\nRegistered there: app.git (${app})\n`,
  ],
  [
    "uninstall --home ../app.git/gatepost",
    2,
    "gatepost: Which repository? --home alone does not say.\nAdd -R REPOSITORY.\n",
  ],
  ["init", 3, `gatepost: ${plain} is not a Git repository: neither is any folder above it.\n${noGit}`],
  [
    "init none",
    3,
    "gatepost: There is nothing at none.\nName a Git work tree or bare repository, or the file of a Fossil repository.\n",
  ],
]);

describe.concurrent("a database that cannot be used", () => {
  const again =
    "Restore a backup: gatepost backup --restore FILE. Without one, move it away, and the files beside it whose names go on from its own; then register the repository anew: gatepost init\n";
  const foreign =
    (why: string) =>
    (file: string): string =>
      `gatepost: ${file} is not a Gatepost database: ${why}. Nothing was changed.\n${again}`;
  const cases: [string, (file: string) => string][] = [
    ["empty", foreign("it is empty")],
    ["text", foreign("it is no SQLite file")],
    ["foreign", foreign("it was made by another program")],
    [
      "newer",
      (file) =>
        `gatepost: The database ${file} was made by a newer Gatepost (schema 99).\nThis one knows schemas up to ${SCHEMA_VERSION}. Update Gatepost; nothing was changed.\n`,
    ],
    [
      "torn",
      (file) =>
        `gatepost: The database ${file} is damaged (database disk image is malformed). Nothing was changed.\nRestore a backup: gatepost backup --restore FILE. Pushes go on: their receipts wait in the spool.\n`,
    ],
  ];
  const calls = [["hook", "list", "-R"], ["init"]];
  const table = cases.flatMap(([which, message]) => calls.map((call) => ({ which, call, message })));

  it.for(table)(
    "$which: $call.0 refuses it with exit 5 and leaves it as it is",
    async ({ which, call, message }, { expect }) => {
      const repository = world.at(`${which}.git`);
      const outcome = await world.call([...call, repository]);
      expect(outcome).toEqual(fails(5, message(join(repository, "gatepost", "gatepost.db"))));
    },
  );
});

describe.concurrent("programs and permissions", () => {
  it("says what to install when git is missing", async ({ expect }) => {
    const outcome = await world.call(["init", bare], { env: { PATH: plain } });
    expect(outcome).toEqual(
      fails(3, "gatepost: git could not be started (ENOENT).\nInstall git, or put it on PATH.\n"),
    );
  });

  it("shows the whole help on stderr where a sub-command is missing", async ({ expect }) => {
    const outcome = await world.call(["hook"]);
    expect({ ...outcome, stderr: outcome.stderr.split("\n")[0] }).toEqual(
      fails(2, "Usage: gatepost hook [options] [command]"),
    );
  });

  it.runIf(root)("a home of somebody else's can neither be read nor registered", ({ expect }) => {
    const call = (...args: string[]) => world.run([...asNobody, process.execPath, program, ...args]);
    expect(call("hook", "list", "-R", app)).toEqual(
      fails(
        7,
        `gatepost: ${app}/gatepost belongs to another user (uid 0). Nothing was changed.\nAs its owner: sudo -u root gatepost hook list -R ${app}\n`,
      ),
    );
    expect(call("init", bare)).toEqual(
      fails(
        7,
        `gatepost: ${bare} belongs to another user (uid 0). Nothing was changed.\nAs its owner: sudo -u root gatepost init ${bare}\n`,
      ),
    );
  });
});

describe("a home that cannot be written", () => {
  it("is left as it is, with exit 7", () => {
    const argv = [process.execPath, program, "hook", "add", "-R", locked, "--type", "disabled", "--command", ":"];
    const outcome = world.run(root ? [...asNobody, ...argv] : argv);
    expect(outcome).toEqual(
      fails(
        7,
        `gatepost: ${locked}/gatepost/gatepost.db cannot be read or written by this user ` +
          "(attempt to write a readonly database).\n" +
          "Call gatepost as the owner of the home, or mend the permissions of its folder.\n",
      ),
    );
  });
});
