/** The repository's own list of hooks, changed by the real fossil, beside others who change it. */
import * as fs from "node:fs";
import SQLite from "better-sqlite3";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { changeHookList, readHookList, withEntry, withoutEntry } from "../../src/shim/fossil-hooks.ts";
import { makeWorld } from "../helpers/cli.ts";

const world = makeWorld("gatepost-fossil-hooks-");
afterAll(() => world.remove());
const env = { FOSSIL_HOME: world.at("user") };

function fossil(...args: string[]): string {
  const { stdout, stderr, code } = world.run(["fossil", ...args], { env });
  if (code !== 0) throw new Error(`fossil ${args[0]}: ${stderr}`);
  return stdout;
}

const pristine = world.at("pristine.fossil");
fossil("init", pristine);
let file = pristine;
let count = 0;
beforeEach(() => {
  count += 1;
  file = world.at(`r ${count}'s.fossil`);
  fs.copyFileSync(pristine, file);
});

const add = (command: string, type = "after-receive") =>
  fossil("hook", "add", "--command", command, "--type", type, "-R", file);

/** Writes rows of the configuration behind everybody's back. */
function store(rows: Record<string, string | number | Buffer>): void {
  const db = new SQLite(file);
  for (const [name, value] of Object.entries(rows))
    db.prepare("REPLACE INTO config(name, value, mtime) VALUES (?, ?, 1)").run(name, value);
  db.close();
}
function stored(name: string): { value: string; type: string; mtime: number } | undefined {
  const db = new SQLite(file);
  const row = db.prepare("SELECT value, typeof(value) AS type, mtime FROM config WHERE name = ?").get(name);
  db.close();
  return row as { value: string; type: string; mtime: number } | undefined;
}

const ours = { cmd: "ours", type: "before-commit", seq: 0 };
const isOurs = ({ cmd }: { cmd: string }): boolean => cmd === "ours";

describe("the list of hooks of a Fossil repository", () => {
  it("is read with Fossil's position and embargo", async () => {
    expect(await readHookList(file)).toEqual({
      ...{ text: null, elements: [], entries: [], lastRcvid: null, embargo: null, note: null },
    });
    add('echo "ä\n"');
    store({ "hook-last-rcvid": "412", "hook-embargo": "1795247498" });
    const list = await readHookList(file);
    expect(list.entries).toEqual([{ cmd: 'echo "ä\n"', type: "after-receive", seq: 10 }]);
    expect([list.lastRcvid, list.embargo]).toEqual([412, 1795247498]);
  });

  it("is none that can be read where the text is no list, no objects or no text", async () => {
    for (const value of ["{}", "nonsense", '["x"]', Buffer.from("[]"), `[{"cmd":"${"\u0001"}"}]`]) {
      store({ hooks: value });
      expect((await readHookList(file)).entries).toBeNull();
    }
    const db = new SQLite(file);
    db.exec(`UPDATE config SET value = CAST(x'5b7b22636d64223a22ff227d5d' AS TEXT) WHERE name = 'hooks'`);
    db.close();
    expect((await readHookList(file)).elements).toBeNull();
  });

  it("is changed together with the position, with Fossil's time, and what was replaced is told", async () => {
    add("a");
    store({ "hook-last-rcvid": "3" });
    const before = Math.floor(Date.now() / 1000);
    const replaced = await changeHookList(file, () => ({ text: '[{"it\'s":"ü $x"}]', lastRcvid: 7, note: "n" }));
    expect([replaced.entries?.[0]?.cmd, replaced.lastRcvid]).toEqual(["a", 3]);
    expect(stored("hooks")).toMatchObject({ value: '[{"it\'s":"ü $x"}]', type: "text" });
    expect(stored("hooks")?.mtime).toBeGreaterThanOrEqual(before);
    expect(stored("hook-last-rcvid")).toMatchObject({ value: "7", type: "text" });
    await changeHookList(file, () => ({ text: null, note: null }));
    expect([stored("hooks"), stored("gatepost-take-over")]).toEqual([undefined, undefined]);
    expect(stored("hook-last-rcvid")?.value).toBe("7");
  });

  it("keeps what others wrote to the byte, and Fossil reads the rest", async () => {
    const theirs = '{"seq":12345678901234567890, "cmd":"x","cmd":"y","type":"after-receive","more":[1.50,{}]}';
    store({ hooks: `[ ${theirs} , "broken"]` });
    await changeHookList(file, ({ text }) => ({ text: withEntry(text, ours, isOurs) }));
    expect(stored("hooks")?.value).toBe(`[${theirs},"broken",{"cmd":"ours","type":"before-commit","seq":0}]`);
    await changeHookList(file, ({ text }) => ({ text: withoutEntry(text, isOurs) }));
    expect(stored("hooks")?.value).toBe(`[${theirs},"broken"]`);
  });

  it("is not written where nothing differs or the change says so", async () => {
    store({ hooks: "[1]" });
    await changeHookList(file, ({ text }) => ({ text }));
    await changeHookList(file, () => null);
    expect(stored("hooks")?.mtime).toBe(1);
  });

  it("stays as it was when the change refuses", async () => {
    store({ hooks: "no list" });
    const change = changeHookList(file, ({ text }) => ({ text: withEntry(text, ours, isOurs) }));
    await expect(change).rejects.toThrow(/is no JSON array\. Nothing was changed/);
    expect(stored("hooks")?.value).toBe("no list");
  });

  it("is changed anew when somebody else changed it, its position or the note in between", async () => {
    const meanwhile = [
      () => add("b"),
      () => store({ "hook-last-rcvid": "9" }),
      () => store({ "gatepost-take-over": "x" }),
    ];
    const seen: (string | number | null)[][] = [];
    await changeHookList(file, ({ text, lastRcvid, note, entries }) => {
      seen.push([entries?.length ?? null, lastRcvid, note]);
      meanwhile.shift()?.();
      return { text: withEntry(text, ours, isOurs) };
    });
    expect(seen).toEqual([
      [0, null, null],
      [1, null, null],
      [1, 9, null],
      [1, 9, "x"],
    ]);
    expect((await readHookList(file)).entries?.map(({ cmd }) => cmd)).toEqual(["b", "ours"]);
  });

  it("loses no entry when many change it at once", async () => {
    const mine = Array.from({ length: 6 }, (_, n) => ({ cmd: `ours-${n}`, type: "disabled", seq: n }));
    const changes = mine.map((entry) =>
      changeHookList(file, ({ text }) => ({ text: withEntry(text, entry, ({ cmd }) => cmd === entry.cmd) })),
    );
    for (let n = 0; n < 6; n += 1) add(`theirs-${n}`);
    await Promise.all(changes);
    const commands = (await readHookList(file)).entries?.map(({ cmd }) => cmd).sort();
    expect(commands).toEqual([...mine.map(({ cmd }) => cmd), ...mine.map((_, n) => `theirs-${n}`)].sort());
  });

  it("waits for a lock, and says so when it stays", async () => {
    const db = new SQLite(file);
    db.exec("BEGIN IMMEDIATE");
    const change = changeHookList(file, () => ({ text: "[]" }), { patience: 200 });
    await expect(change).rejects.toMatchObject({ code: "GP_BUSY" });
    const waiting = changeHookList(file, () => ({ text: "[2]" }));
    db.exec("COMMIT");
    db.close();
    await waiting;
    expect(stored("hooks")?.value).toBe("[2]");
  });

  it("is refused where there is no repository or no fossil, with what to do", async () => {
    await expect(readHookList(world.at("absent"))).rejects.toMatchObject({ code: "GP_NO_REPOSITORY" });
    fs.writeFileSync(world.at("text"), "text");
    await expect(readHookList(world.at("text"))).rejects.toMatchObject({ code: "GP_NO_REPOSITORY" });
    const path = process.env["PATH"];
    try {
      process.env["PATH"] = world.at("user");
      await expect(readHookList(file)).rejects.toMatchObject({ code: "GP_PROGRAM", hint: /Install fossil/ });
    } finally {
      process.env["PATH"] = path;
    }
  });

  it.skipIf(process.geteuid?.() !== 0)("is left to the owner of the file", async () => {
    fs.chownSync(file, 65534, 65534);
    await expect(changeHookList(file, () => ({ text: "[]" }))).rejects.toMatchObject({ code: "GP_NOT_OWNER" });
  });
});
