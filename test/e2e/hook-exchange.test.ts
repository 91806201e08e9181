/** Export, import and hooks.json: one format, which carries every hook whole. */
import * as fs from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ARTIFACTS, DEFAULT_SEQUENCE, type Hook, type HookSpec, NO_OPTIONS } from "../../src/core/hook.ts";
import type { Millis } from "../../src/core/units.ts";
import { exportHooks, readExported } from "../../src/home/exchange.ts";
import { deleteHooks, editHooks, hooksFor, importHooks } from "../../src/home/hooks.ts";
import { closeHome, type OpenHome, openHome } from "../../src/home/open.ts";
import { listRepositories } from "../../src/store/repository.ts";
import { makeWorld } from "../helpers/cli.ts";
import { hooksOf } from "../helpers/hooks.ts";

const world = makeWorld();
const at = (name: string) => hooksOf(world, world.at(name));
const [from, to, busy, left, right] = [at("from.git"), at("to.git"), at("busy.git"), at("left.git"), at("right.git")];

beforeAll(() => {
  const paths = ["from.git", "to.git", "busy.git", "left.git", "right.git"].map((name) => world.bare(name));
  expect(world.gatepost(["init", ...paths]).code).toBe(0);
});
afterAll(() => world.remove());

describe("export and import", () => {
  it("carry hooks from one repository to another through a pipe", () => {
    from.add("make test", "--name", "ci", "--retries", "3", "--ref", "refs/heads/*", "--timeout", "1.5");
    from.add("notify é \"$USER\" 'x'", "--all", "--sequence", "-3");
    from.hook("disable", "ci");
    const exported = from.hook("export").stdout;
    expect(exported).toBe(fs.readFileSync(join(from.home, "hooks.json"), "utf8"));
    expect(JSON.parse(exported)).toEqual({
      gatepost: 1,
      hooks: [
        {
          ...{ name: "ci", repository: "from.git", type: "disabled", wasType: "after-receive", sequence: 10 },
          ...{ command: "make test", timeout: 1.5, retries: 3, ref: ["refs/heads/*"] },
        },
        { all: true, type: "after-receive", sequence: -3, command: "notify é \"$USER\" 'x'" },
      ],
    });

    expect(world.gatepost(["hook", "import", "-R", "to.git", "-"], { input: exported })).toEqual({
      stdout: "",
      stderr: "hook 1 (ci) added: disabled, sequence 10\nhook 2 added: after-receive, sequence -3\n",
      code: 0,
    });
    expect(to.hook("export").stdout).toBe(exported.replace('"from.git"', '"to.git"'));
    expect(to.audit().map(({ action, hook, old }) => [action, hook, old])).toEqual([
      ["import", 1, null],
      ["import", 2, null],
    ]);
  });

  it("choose single hooks by id or name, and --json tells what was made", () => {
    expect(JSON.parse(from.hook("export", "2").stdout).hooks).toMatchObject([{ sequence: -3 }]);
    fs.writeFileSync(world.at("one.json"), from.hook("export", "2").stdout);
    expect(JSON.parse(to.hook("import", "--json", world.at("one.json")).stdout)).toMatchObject({
      hooks: [{ id: 3, all: true, sequence: -3 }],
    });
  });

  it("read only the hook's own repository where no other is named, and refuse one they do not know", () => {
    const hooks = (repository: string) =>
      JSON.stringify({ gatepost: 1, hooks: [{ repository, type: "after-receive", command: "true" }] });
    const importing = (repository: string) =>
      world.gatepost(["hook", "import", "--home", to.home, "-"], { input: hooks(repository) });
    expect(importing("to.git").stderr).toBe("hook 4 added: after-receive, sequence 10\n");
    expect(importing("from.git")).toEqual({
      stdout: "",
      stderr:
        'gatepost: hooks[0].repository: "from.git" is not registered here. Nothing was imported.\nKnown: to.git\n',
      code: 2,
    });
  });
});

describe("changes at the same time", () => {
  it("lose nothing: each gets its id, its audit row and its place in hooks.json", async () => {
    const commands = Array.from({ length: 8 }, (_, n) => `echo ${n}`);
    const add = (command: string) =>
      world.call(["hook", "add", "-R", "busy.git", "--type", "after-receive", "--command", command]);
    const outcomes = await Promise.all(commands.map(add));
    expect(outcomes.map(({ code }) => code)).toEqual(commands.map(() => 0));
    expect(outcomes.map(({ stderr }) => stderr).sort()).toEqual(
      commands.map((_, n) => `hook ${n + 1} added: after-receive, sequence 10\n`),
    );
    expect(new Set(busy.stored().map((line) => line.replace(/^\d+ /, "")))).toEqual(new Set(commands));
    expect(busy.file().hooks.map(({ command }, n) => `${n + 1} ${command}`)).toEqual(busy.stored());
    expect(busy.audit().map(({ hook }) => hook)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(fs.readdirSync(busy.home).filter((name) => name.endsWith(".new"))).toEqual([]);
  });
});

describe("the format", () => {
  const opened: OpenHome[] = [];
  afterAll(() => opened.forEach(closeHome));
  const open = (dir: string): OpenHome => {
    const home = openHome(dir);
    opened.push(home);
    return home;
  };

  // Any text but a NUL, in quotes that sh can read.
  const word = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
    .filter((text) => !text.includes("\0"))
    .map((text) => `'${text.replaceAll("'", "'\\''")}'`);
  const noBraces = (paths: string[] | null): string[] | null => paths?.map((path) => path.replaceAll("{", "x")) ?? null;
  const patterns = fc.option(fc.array(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 }));
  const record = fc.record({
    sequence: fc.oneof(fc.constant(DEFAULT_SEQUENCE), fc.integer(), fc.constant(-(10 ** 14))),
    command: fc.oneof(
      word.map((text) => `echo ${text}`),
      fc.constant('p %F "%R" %A %% %x\n# done'),
    ),
    type: fc.constantFrom("after-receive", "before-commit", "git:post-checkout", "disabled"),
    wasType: fc.constantFrom(null, "after-receive", "commit-msg"),
    timeout: fc.option(fc.integer({ min: 1, max: 10 ** 9 }).map((value) => value as Millis)),
    retries: fc.nat(20),
    inOrder: fc.boolean(),
    advisory: fc.boolean(),
    refs: patterns,
    paths: patterns,
    stdin: fc.constantFrom(null, "artifacts" as const, "updates" as const, "paths" as const),
    trees: fc.boolean(),
    dir: fc.option(fc.string({ minLength: 1, maxLength: 8 })),
    parallel: fc.boolean(),
    artifacts: fc.option(fc.subarray([...ARTIFACTS], { minLength: 1 })),
    named: fc.boolean(),
    scope: fc.constantFrom("repository" as const, "all" as const, "team/*" as const),
  });
  // A hook has only the options of its type.
  const spec = record.map((one) => {
    const type = one.type === "disabled" ? one.wasType : one.type;
    const { retries, inOrder, refs, trees, stdin, advisory, dir, parallel, paths, artifacts, ...rest } = one;
    const arrivals = { ...NO_OPTIONS, retries, inOrder, refs, trees, stdin, artifacts, paths: noBraces(paths) };
    const commits = { ...NO_OPTIONS, advisory, dir: dir === null ? null : "a b/c", parallel, paths: noBraces(paths) };
    const native = { ...NO_OPTIONS, advisory, parallel };
    const own = type === "after-receive" ? arrivals : (type ?? "").startsWith("git:") ? native : commits;
    return { ...(type === null ? NO_OPTIONS : own), ...rest };
  });

  const imported = (home: OpenHome, json: string): readonly Hook[] => {
    const repository = listRepositories(home.db)[0]?.id;
    if (repository === undefined) throw new Error("no repository");
    return importHooks(home, readExported(home, json, { scope: "repository", repository }, true));
  };

  it("keeps every field of every hook from one home to the next, and both write the same hooks.json", () => {
    const [a, b] = [open(left.home), open(right.home)];
    const repository = listRepositories(a.db)[0]?.id;
    if (repository === undefined) throw new Error("no repository");
    let lastId = 0;
    fc.assert(
      fc.property(fc.array(spec, { maxLength: 4 }), (drafts) => {
        const specs = drafts.map(
          ({ named, scope, wasType, ...rest }, n): HookSpec => ({
            ...{
              ...NO_OPTIONS,
              ...rest,
              name: named ? `n${n}` : null,
              each: rest.type === "after-receive" ? "receipt" : null,
            },
            wasType: rest.type === "disabled" ? wasType : null,
            scope:
              scope === "repository"
                ? { scope, repository }
                : scope === "all"
                  ? { scope }
                  : { scope: "pattern", pattern: scope },
          }),
        );
        const made = importHooks(a, specs);
        const text = JSON.stringify(exportHooks(a, made));
        const again = imported(b, text);
        const same = (hooks: readonly Hook[]) => hooks.map(({ id: _, ...rest }) => rest);
        expect(same(again)).toEqual(specs);
        expect(same(hooksFor(b, null))).toEqual(specs);
        expect(left.file()).toEqual(JSON.parse(text));
        expect(right.file().hooks).toEqual(
          left.file().hooks.map((hook) => ("repository" in hook ? { ...hook, repository: "right.git" } : hook)),
        );
        for (const { id } of made) expect(id).toBeGreaterThan(lastId);
        lastId = Math.max(lastId, ...made.map(({ id }) => id));
        editHooks(b, again, { sequence: 77 });
        expect(right.file().hooks.map(({ sequence }) => sequence)).toEqual(specs.map(() => 77));
        deleteHooks(a, made);
        deleteHooks(b, again);
        expect([left.file().hooks, right.file().hooks]).toEqual([[], []]);
      }),
      { numRuns: 25 },
    );
  });
});
