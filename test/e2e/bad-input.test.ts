/** Every wrong call: one sentence, one hint, the exit code, and nothing changed. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fails, makeWorld, type Outcome } from "../helpers/cli.ts";

const world = makeWorld();
const [app, bare, plain] = [world.at("app.git"), world.at("other.git"), world.at("plain")];
const known = "after-receive before-commit commit-msg after-commit before-push before-receive before-ref proc-receive";

/** Every file below a folder with its mode and content. The database's own bookkeeping files say nothing. */
function picture(folder: string): Record<string, string> {
  const files = (fs.readdirSync(folder, { recursive: true }) as string[]).filter((name) => !/\.db-(wal|shm)$/.test(name));
  return Object.fromEntries(
    files.sort().map((name) => {
      const path = join(folder, name);
      const { mode } = fs.lstatSync(path);
      const content = fs.statSync(path).isFile() ? createHash("sha1").update(fs.readFileSync(path)).digest("hex") : "";
      return [name, `${mode.toString(8)} ${content}`];
    }),
  );
}

let before: Record<string, string>;
beforeAll(() => {
  fs.mkdirSync(plain);
  fs.writeFileSync(world.at("hooks.json"), '{"gatepost": 1, "hooks": []}');
  world.bare("app.git");
  world.bare("other.git");
  expect(world.gatepost(["init", app]).code).toBe(0);
  const add = ["hook", "add", "-R", app, "--type", "after-receive", "--command"];
  expect(world.gatepost([...add, "echo one", "--name", "one"]).code).toBe(0);
  before = picture(world.dir);
});
afterAll(() => {
  const changed = picture(world.dir);
  world.remove();
  expect(changed).toEqual(before);
});

type Row = [call: string, code: number, stderr: string, input?: string];
const words = (call: string): string[] =>
  [...call.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");

/** One test for each row; the calls run in the registered repository, side by side. */
function rows(title: string, cwd: string, table: readonly Row[]): void {
  describe.concurrent(title, () => {
    it.for(table)("%s", async ([call, code, stderr, input], { expect }) => {
      const outcome = await world.call(words(call), { cwd, ...(input === undefined ? {} : { input }) });
      expect(outcome).toEqual(fails(code, stderr));
    });
  });
}

const usage = (command: string): string => `How to call it: gatepost ${command} --help\n`;
const noHook = (word: string): string =>
  `gatepost: There is no hook "${word}".\nThe hooks there are: gatepost hook list\n`;
const oneOf = `One of: ${known} disabled. What each is for: gatepost hook types\n`;

rows("wrong words", app, [
  ["bogus", 2, 'gatepost: "bogus" is not a command.\nOne of: init hook backoffice serve runs settings uninstall demo. More: gatepost --help\n'],
  ["hook bogus", 2, 'gatepost: "bogus" is not a command.\nOne of: add edit delete enable disable import list status types export test. More: gatepost hook --help\n'],
  ["hook LIST", 2, 'gatepost: "LIST" is not a command.\nOne of: add edit delete enable disable import list status types export test. More: gatepost hook --help\n'],
  ["hook ''", 2, 'gatepost: "" is not a command.\nOne of: add edit delete enable disable import list status types export test. More: gatepost hook --help\n'],
  ["r", 0, ""],
  ["hook list --bogus", 2, `gatepost: Unknown option '--bogus'.\n${usage("hook list")}`],
  ["hook status --bogus", 2, `gatepost: Unknown option '--bogus'.\n${usage("hook status")}`],
  ["hook list more", 2, `gatepost: Too many arguments for 'list'. Expected 0 arguments but got 1.\n${usage("hook list")}`],
  ["hook add word --type disabled --command :", 2, `gatepost: Too many arguments for 'add'. Expected 0 arguments but got 1.\n${usage("hook add")}`],
  ["hook add --type disabled --command", 2, `gatepost: Option '--command <COMMAND>' argument missing.\n${usage("hook add")}`],
  ["hook edit", 2, `gatepost: Missing required argument 'ID'.\n${usage("hook edit")}`],
  ["hook edit --type disabled", 2, `gatepost: Missing required argument 'ID'.\n${usage("hook edit")}`],
  ["hook delete", 2, `gatepost: Missing required argument 'ID'.\n${usage("hook delete")}`],
  ["hook test", 2, `gatepost: Missing required argument 'ID'.\n${usage("hook test")}`],
  ["hook test one one", 2, `gatepost: Too many arguments for 'test'. Expected 1 argument but got 2.\n${usage("hook test")}`],
]);
