/**
 * What a commit costs with hooks from the database, against the same commands in a raw hook file, and against other hook
 * managers that run the same. All of it is the whole `git commit --allow-empty`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { committing, makeTree, ourHooks, rawHook } from "./lib/committing.mjs";
import { peers } from "./lib/peers.mjs";
import { makePlace } from "./lib/place.mjs";
import { compare } from "./lib/pushing.mjs";
import { claim, skipped, table } from "./lib/report.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "git commit with before-commit hooks, against a raw pre-commit that does the same";

const gate = (command, ...options) => ["--type", "before-commit", "--command", command, ...options];
const ten = Array.from({ length: 10 }, () => gate("/bin/true"));

export async function measure({ seed, quick }) {
  const place = makePlace();
  const count = quick ? 10 : 100;
  const tree = (name, prepare) => makeTree(place, name, prepare);
  const ours =
    (...hooks) =>
    (path) =>
      ourHooks(place, path, ...hooks);
  const results = [];
  const run = async (label, variants, claims) => {
    const trees = Object.entries(variants).map(([name, [path, options]]) => [name, committing(place, path, options)]);
    const found = await rounds(label, Object.fromEntries(trees), { count, warm: 3, seed });
    const { rows, ratios, head } = compare(found);
    table([label, ...head.slice(1)], rows);
    for (const [name, text, goal] of claims) {
      const { wall, cpu } = ratios[name];
      results.push(claim({ claim: text, figure: wall.median, cpu: cpu.median, goal, n: count, seed }));
    }
  };

  await run(
    "one hook: true",
    {
      "raw pre-commit": [tree("raw-1", (path) => rawHook(path, "pre-commit", "true"))],
      ours: [tree("ours-1", ours(gate("true")))],
      "no hooks": [tree("none-1")],
      ...(await others(place, tree)),
    },
    [["ours", "commit with one true hook / raw hook", 1.12]],
  );
  if ((await peers()) === null) results.push(skipped("other managers / raw hook", null, "npm cannot get them here"));
  await run(
    "ten hooks: /bin/true",
    {
      "raw pre-commit": [tree("raw-10", (path) => rawHook(path, "pre-commit", ten.map(() => "/bin/true").join("\n")))],
      ours: [tree("ours-10", ours(...ten))],
    },
    [["ours", "commit with ten /bin/true hooks / raw hook", 1.15]],
  );
  await run("no hooks", { "not registered": [tree("none-2")], registered: [tree("ours-0", ours())] }, [
    ["registered", "commit in a registered repository without hooks / not registered", 1.02],
  ]);
  const file = (path) => ({
    before: (round) => writeFileSync(join(path, "file"), `${round}\n`),
    args: ["-a"],
  });
  const changed = (name, prepare) => {
    const path = tree(name, prepare);
    return [path, file(path)];
  };
  await run(
    "options, commit -a of one file",
    {
      "raw pre-commit": changed("raw-o", (path) => rawHook(path, "pre-commit", "/bin/true")),
      "ours, plain": changed("ours-plain", ours(gate("/bin/true"))),
      "--timeout 60": changed("ours-timeout", ours(gate("/bin/true", "--timeout", "60"))),
      "--path '*'": changed("ours-path", ours(gate("/bin/true", "--path", "*"))),
      "--stdin paths": changed("ours-stdin", ours(gate("/bin/true", "--stdin", "paths"))),
      "%A": changed("ours-aux", ours(gate("/bin/true %A"))),
      "after-receive too": changed("ours-after", (path) =>
        ourHooks(place, path, gate("/bin/true"), ["--type", "after-receive", "--command", "true"]),
      ),
    },
    [
      ["--timeout 60", "commit with a hook with --timeout / raw hook", null],
      ["--path '*'", "commit with a hook with --path / raw hook", null],
      ["--stdin paths", "commit with a hook with --stdin paths / raw hook", null],
      ["%A", "commit with a hook that uses %A / raw hook", null],
      ["after-receive too", "commit with a hook, and an after-receive hook that hears of it / raw hook", null],
    ],
  );
  place.remove();
  return results;
}

/** The same command by other managers, where npm can get them. */
async function others(place, tree) {
  const found = await peers();
  if (found === null) return {};
  const node = (script, path, ...args) =>
    place.run("sh", ["-c", 'cd "$1" && shift && exec "$@"', "sh", path, process.execPath, script, ...args]);
  const write = (path, name, text) => {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text, { mode: 0o755 });
  };
  const lefthook = "pre-commit:\n  commands:\n    check:\n      run: 'true'\n";
  return {
    husky: [
      tree("husky", (path) => {
        node(found.husky, path);
        write(path, ".husky/pre-commit", "true\n");
      }),
    ],
    lefthook: [
      tree("lefthook", (path) => {
        write(path, "lefthook.yml", lefthook);
        place.run("sh", ["-c", 'cd "$1" && exec "$2" install', "sh", path, found.lefthook]);
      }),
      { env: { LEFTHOOK_BIN: found.lefthook } },
    ],
    "simple-git-hooks": [
      tree("simple", (path) => {
        write(path, "package.json", '{"simple-git-hooks": {"pre-commit": "true"}}\n');
        node(found.simpleGitHooks, path);
      }),
    ],
  };
}
