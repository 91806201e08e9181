/**
 * The demonstration: a bare repository and a clone in a fresh temporary folder, two after-receive hooks, a few commits
 * and pushes by the installed git, one pass of the backoffice, and what each hook received.
 */

import { mkdtempSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { type Hook, type HookSpec, NO_OPTIONS } from "../core/hook.ts";
import { quoted } from "../core/shell-word.ts";
import { formatDuration, HOUR } from "../core/units.ts";
import { capture } from "../process/command.ts";
import { passOnce } from "./backoffice.ts";
import { addHook } from "./hooks.ts";
import { register } from "./init.ts";
import { closeHome, openHome } from "./open.ts";
import { listRuns } from "./runs.ts";
import { changeSetting } from "./settings.ts";

export async function demonstrate(print: (line: string) => void): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "gatepost-demo-")));
  process.env["XDG_STATE_HOME"] = join(folder, "state"); // the demonstration stays out of this user's register
  const server = join(folder, "app.git");
  const clone = join(folder, "app");
  const fromCheckout = process.env["npm_lifecycle_event"] === "start";
  const called = fromCheckout ? "node bin/gatepost" : "gatepost";
  const started = fromCheckout ? "npm start --" : "gatepost demo";
  const git = (...args: string[]) => gitIn(folder, args);

  await git("init", "-q", "--bare", "--initial-branch=main", server);
  const { home: dir, refs } = await register(server, null);
  print(`A bare repository, registered: ${server} (${refs} refs)`);
  const home = openHome(dir);
  let ran = "1";
  try {
    changeSetting(home, "automatic-backoffice", "off"); // so that one pass, below, shows it all at once
    const hooks = addHooks(home, folder);
    for (const hook of hooks) print(`  hook ${hook.id} (${hook.name}): ${hook.command}`);

    await git("clone", "-q", server, clone);
    print("\nThree pushes from a clone, with the git that is installed:");
    for (const [file, text, message] of [
      ["README", "Hello\n", "Say hello"],
      ["src.txt", "one\ntwo\n", "Add a source"],
      ["README", "Hello, world\n", "Greet everybody"],
    ] as const) {
      writeFileSync(join(clone, file), text);
      await git("-C", clone, "add", file);
      await git("-C", clone, "commit", "-q", "-m", message);
      await git("-C", clone, "push", "-q", "origin", "HEAD:main");
      print(`  pushed "${message}"`);
    }

    print("\nA fourth, which the gate refuses before anything of it is public; the person who pushes sees:");
    writeFileSync(join(clone, "id.key"), "secret\n");
    await git("-C", clone, "add", "id.key");
    await git("-C", clone, "commit", "-q", "-m", "Add a key by mistake");
    const refused = await callGit(folder, ["-C", clone, "push", "-q", "origin", "HEAD:main"]);
    for (const line of refused.stderr.split("\n")) if (line.startsWith("remote:")) print(`  ${line.trimEnd()}`);

    const began = performance.now();
    await passOnce(
      {
        homes: [dir],
        jobs: 1,
        min: HOUR,
        signal: new AbortController().signal,
        log: (level, message) => level === "error" && print(message),
        progress: () => {},
        onPass: () => {},
      },
      { stay: false, nodelay: false, automatic: false },
    );
    print(
      `\nThe backoffice made one batch of them and ran the hooks, in ${formatDuration(performance.now() - began)}:`,
    );
    for (const { name, hook, what, took, run, gate } of listRuns(home, ALL).reverse()) {
      if (gate !== null) continue;
      ran = name;
      print(`\n  run ${name}: ${hook}, ${what}: ${run.state} in ${formatDuration(took ?? 0)}; it received`);
      for (const line of readFileSync(join(folder, `${hook}.txt`), "utf8")
        .trimEnd()
        .split("\n"))
        print(`    ${line}`);
    }
  } finally {
    closeHome(home);
  }
  print(`
Everything is still there, until you say: rm -r ${folder}
Where to look next:
  ${called} runs -R ${server}
  ${called} runs show ${ran} -R ${server}
  ${called} hook list -R ${server}
  ${started} /path/to/a/repository.git        serve one of your own`);
}

const ALL = { repository: null, hook: null, states: null, since: null, after: null, limit: 100 };

function addHooks(home: Parameters<typeof addHook>[0], folder: string): Hook[] {
  const all: HookSpec["scope"] = { scope: "all" };
  const base = { ...NO_OPTIONS, scope: all, type: "after-receive" };
  const into = (name: string) => `cat > ${quoted(`${join(folder, name)}.txt`)}`;
  return [
    addHook(home, { ...base, name: "artifacts", sequence: 10, command: into("artifacts") }),
    addHook(home, { ...base, name: "updates", sequence: 20, command: into("updates"), stdin: "updates" }),
    addHook(home, {
      ...base,
      type: "before-receive",
      name: "no-keys",
      sequence: 10,
      paths: ["*.key"],
      command: 'echo "keys do not belong in here"; exit 1',
    }),
  ];
}

async function gitIn(folder: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await callGit(folder, args);
  if (code !== 0) throw new GatepostError("GP_PROGRAM", `git ${args[0]} failed: ${stderr.trim()}`);
}

function callGit(folder: string, args: readonly string[]) {
  const env = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "Ada",
    GIT_AUTHOR_EMAIL: "ada@example.org",
    GIT_COMMITTER_NAME: "Ada",
    GIT_COMMITTER_EMAIL: "ada@example.org",
  };
  return capture("git", args, { cwd: folder, env });
}
