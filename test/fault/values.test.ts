/**
 * G9: options, settings and files of the wrong type, huge, or doubled are refused with what is wrong by name, and change
 * nothing. More single cases stand in test/e2e/bad-values.test.ts; here is every field, every setting and every option
 * that takes a value, against everything that none of them takes.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatepostError } from "../../src/core/errors.ts";
import { readJson } from "../../src/core/json-text.ts";
import { requireSetting, requireSettingValue, SETTINGS, type SettingName } from "../../src/core/settings.ts";
import { readExported } from "../../src/home/exchange.ts";
import { importHooks } from "../../src/home/hooks.ts";
import { closeHome, type OpenHome, openHome } from "../../src/home/open.ts";
import { listHooks } from "../../src/store/hook.ts";
import { listRepositories } from "../../src/store/repository.ts";
import { makeWorld } from "../helpers/cli.ts";

const world = makeWorld("gatepost-values-");
let app: string;
let home: OpenHome;
beforeAll(() => {
  app = world.bare("app.git");
  expect(world.gatepost(["init"], { cwd: app }).code).toBe(0);
  home = openHome(join(app, "gatepost"));
});
afterAll(() => {
  closeHome(home);
  world.remove();
});

/** Imports this text and says what was refused; null: nothing was. */
function importing(text: string): string | null {
  const [row] = listRepositories(home.db);
  if (row === undefined) throw new Error("no repository");
  const before = listHooks(home.db).length;
  try {
    importHooks(home, readExported(home, text, { scope: "repository", repository: row.id }));
    return null;
  } catch (error) {
    expect(error, `${text}: ${(error as Error).stack}`).toBeInstanceOf(GatepostError);
    expect(listHooks(home.db)).toHaveLength(before);
    return (error as Error).message;
  }
}
const one = (fields: string): string => `{"gatepost":1,"hooks":[{"type":"after-receive","command":"true"${fields}}]}`;

const WRONG: Record<string, string[]> = {
  text: ["1", "true", "null", "[]", "{}", '["x"]'],
  whole: ['"1"', "1.5", "1e400", "-1e400", "9007199254740993", "null", "true", "[1]", "{}"],
  seconds: ['"1"', "0", "-1", "1e400", "1e300", "1e-9", "null", "true", "[1]"],
  flag: ["1", "0", '"true"', "null", "[]", "{}"],
  patterns: ["1", "true", "null", "[]", "{}", "[1]", '[""]', '"a\\nb"'],
  texts: ['"main"', "[]", "[1]", '["a",null]', "{}", "null", "[[]]"],
};
const FIELDS: Record<string, string> = {
  ...{ name: "text", repository: "text", pattern: "patterns", wasType: "text", dir: "text" },
  ...{ sequence: "whole", retries: "whole", timeout: "seconds", all: "flag", inOrder: "flag", advisory: "flag" },
  ...{ trees: "flag", parallel: "flag", ref: "texts", path: "texts", artifact: "texts", stdin: "text", each: "text" },
};

describe("G9: a file of hooks", () => {
  it.each(Object.entries(FIELDS))("names the field %s where it is not %s", (field, kind) => {
    for (const value of WRONG[kind] ?? [])
      expect([value, importing(one(`,"${field}":${value}`))]).toEqual([
        value,
        expect.stringMatching(new RegExp(`^hooks\\[0\\]\\.${field}: must be .*Nothing was imported\\.$`)),
      ]);
  });

  it.each(["type", "command"])("names the field %s where it is none", (field) => {
    for (const value of field === "type" ? ["1", "null", "[]"] : ["1", "[]", "true", "{}"]) {
      const fields = { type: '"after-receive"', command: '"true"', [field]: value };
      const text = `{"gatepost":1,"hooks":[{"type":${fields.type},"command":${fields.command}}]}`;
      expect(importing(text)).toMatch(new RegExp(`^hooks\\[0\\]\\.${field}: must be`));
    }
  });

  it.each(["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "sequenc", "", "\\n"])(
    "takes no field %j, and none such beside the hooks",
    (field) => {
      const shown = JSON.parse(`"${field}"`) as string;
      expect(importing(one(`,"${field}":{"type":"disabled"}`))).toContain(`hooks[0].${shown}: is not known`);
      expect(importing(`{"gatepost":1,"hooks":[],"${field}":1}`)).toContain(`${shown}: is not known`);
      expect(importing(`{"${field}":{"gatepost":1,"hooks":[]}}`)).toContain('has no "gatepost": 1');
      expect(({} as Record<string, unknown>)["type"]).toBeUndefined();
    },
  );

  it.each([
    "null",
    "[]",
    "1",
    '"x"',
    '{"gatepost":"1","hooks":[]}',
    '{"gatepost":2,"hooks":[]}',
    '{"gatepost":1,"hooks":{}}',
    '{"gatepost":1}',
    "{}",
    "",
    "{",
    "NaN",
  ])("that is %s is none", (text) => {
    expect(importing(text)).toMatch(/^The file/);
  });

  it.each([
    ['{"gatepost":1,"gatepost":1,"hooks":[]}', "gatepost"],
    ['{"gatepost":1,"hooks":[{"type":"disabled"}],"hooks":[]}', "hooks"],
    [one(',"sequence":1,"sequence":2'), "hooks[0].sequence"],
    [one(',"command":"false"'), "hooks[0].command"],
    [one(',"comm\\u0061nd":"false"'), "hooks[0].command"],
    [one('},{"type":"after-receive","command":"a, \\"command\\": {[","type":"disabled"'), "hooks[1].type"],
  ])("names the key that stands twice: %s", (text, place) => {
    expect(importing(text)).toBe(`${place}: stands there twice. Nothing was imported.`);
  });

  it("has no key twice where it was written by JSON, whatever is in it, and is told of one that was put in", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, key) => {
        const text = JSON.stringify(value);
        expect(readJson(text)).toMatchObject({ ok: true, value: JSON.parse(text), repeated: [] });
        const quoted = JSON.stringify(key);
        const twice = readJson(`[1, {${quoted}: ${text}, ${quoted} : ${text}}]`);
        expect(twice).toMatchObject({ ok: true, repeated: [`[1].${key}`] });
      }),
    );
  });
});

describe("G9: settings", () => {
  const names = Object.keys(SETTINGS) as SettingName[];
  const none = [
    "",
    " ",
    "-1",
    "1e9",
    "NaN",
    "Infinity",
    "0x10",
    "99999999999999999999",
    "1.5x",
    "true",
    "null",
    "[]",
    "{}",
    "1\n2",
    "__proto__",
  ];

  it.each(names)("%s takes none of what no setting takes, and says its name", (name) => {
    for (const value of none)
      expect(() => requireSettingValue(requireSetting(name), value), value).toThrow(`is not a value for ${name}.`);
  });

  it("are those that there are, whatever every object has", () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "", "Window"])
      expect(() => requireSetting(name)).toThrow(`"${name}" is not a setting.`);
  });

  it("are left as they were by the command", async () => {
    const before = world.gatepost(["settings"], { cwd: app });
    const calls = [
      ["window", "99999999999999999999d"],
      ["__proto__", "1"],
      ["retention-runs", "1e3"],
      ["timeout", "-5"],
    ];
    for (const [name = "", value = ""] of calls) {
      const { code, stderr } = await world.call(["settings", name, "--", value], { cwd: app });
      expect([code, stderr]).toEqual([2, expect.stringContaining(name)]);
    }
    expect(world.gatepost(["settings"], { cwd: app })).toEqual(before);
  });
});

describe("G9: options", () => {
  const hugeOrNone = ["99999999999999999999", "1e3", "NaN", "", "x", "-0.5", "0x10"];
  const options: [option: string, call: string[], values: string[]][] = [
    ["--timeout", ["hook", "add", "--type", "after-receive", "--command", "true"], [...hugeOrNone, "0"]],
    ["--retries", ["hook", "add", "--type", "after-receive", "--command", "true"], [...hugeOrNone, "1.5"]],
    ["--sequence", ["hook", "add", "--type", "after-receive", "--command", "true"], [...hugeOrNone, "1.5"]],
    ["--limit", ["runs"], [...hugeOrNone, "0"]],
    ["--since", ["runs"], hugeOrNone],
    ["--poll", ["backoffice"], hugeOrNone.filter((value) => !["", "-0.5"].includes(value))],
  ];

  it.each(options)("%s of %j takes none of %j, and says its name", async (option, call, values) => {
    const files = () => fs.readFileSync(join(app, "gatepost", "hooks.json"), "utf8");
    const before = files();
    const outcomes = await Promise.all(
      values.map((value) => world.call([...call, `${option}=${value}`], { cwd: app })),
    );
    const named = option === "--sequence" ? /is not a sequence/ : new RegExp(option);
    outcomes.forEach(({ code, stderr }, n) => {
      expect([values[n], code, stderr]).toEqual([values[n], 2, expect.stringMatching(named)]);
      expect(stderr).not.toContain("a bug");
    });
    expect(files()).toBe(before);
  });
});
