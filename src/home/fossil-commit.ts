/**
 * `gatepost commit`: what `fossil commit` does, with the commit-msg hooks that Fossil never had asked in between.
 *
 * The order is Fossil's own: the message, then commit-msg, then `fossil commit`, which asks before-commit with its own
 * description of the commit, comment and all. Fossil does the commit in any case, with the words it was given; only where
 * a hook changed the message, or Fossil cannot be had to start our editor, they name a file with the message instead.
 *
 * Without -m and -M, Fossil's own flow is kept where no `editor` is set: VISUAL names the script shim/fossil-editor for
 * this one call, which starts the real editor and then asks. Where one is set, Fossil would take that; then the message
 * is asked for here, in a file such as Fossil makes, and Fossil gets it by -M.
 *
 * A message that was typed is not lost: the file that holds it stays in the check-out's root until fossil has committed,
 * also when this process dies, and its name is told. Proven by test/e2e/fossil-commit.test.ts.
 */

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { type CommitWords, namesArgsFile, readCommitWords } from "../core/fossil-words.ts";
import { homePlace, layout } from "../core/layout.ts";
import { quoted } from "../core/shell-word.ts";
import { capture } from "../process/command.ts";
import { runHere } from "../process/terminal.ts";
import { editorScript } from "../shim/fossil-entry.ts";
import { findFossil } from "../vcs/fossil.ts";
import { findRepository, locate } from "./locate.ts";

type Committing = {
  cwd: string;
  /** Root of the check-out. */
  checkout: string;
  home: string;
  repository: string;
  /** The repository's number in a home that it shares. */
  id: number | null;
  words: CommitWords;
  say: (text: string) => void;
};

/** Commits in the check-out that `cwd` is in, with these words of `fossil commit`. Returns the exit code: fossil's, or
 *  that of the gate when it refused. `say` tells where a message was kept. Throws GP_USAGE in a Git repository and where
 *  hooks are to be asked about words in a file, GP_NO_HOME where the repository is not registered, GP_PROGRAM without
 *  fossil. */
export async function commitFossil(argv: readonly string[], cwd: string, say: (text: string) => void): Promise<number> {
  if (findRepository(cwd)?.kind === "git")
    throw new GatepostError(
      "GP_USAGE",
      "This is a Git repository, where git itself asks the gates. Nothing was done.",
      {
        hint: "Use: git commit",
      },
    );
  const { home, repository } = locate({ cwd });
  const checkout = findFossil(cwd)?.checkout ?? null;
  if (repository === null || checkout === null)
    throw new GatepostError("GP_NO_REPOSITORY", "This folder is in no check-out of Fossil.", {
      hint: "Go to one; they are made by: fossil open",
    });
  const words = readCommitWords(argv);
  const asked = askedIn(home, repository);
  if (asked.hooks && words?.unasked !== true && namesArgsFile(argv))
    throw new GatepostError(
      "GP_USAGE",
      "The message may be in the file of --args, where no hook is asked for it. Nothing was done.",
      {
        hint: "Write the options out: gatepost commit -m MESSAGE, or -M FILE.",
      },
    );
  if (words === null || words.unasked || !asked.hooks) return run("fossil", ["commit", ...argv], cwd);
  const committing = { cwd, checkout, home, repository, id: asked.id, words, say };
  if (words.comment !== null || words.messageFile !== null || words.noPrompt) return commitGiven(committing, argv);
  return commitTyped(committing, argv);
}

/** Whether commit-msg hooks are compiled for the repository, and its number in the home. The database is the owner's to
 *  read; who may commit to a shared repository can read its gates. */
function askedIn(dir: string, repository: string): { hooks: boolean; id: number | null } {
  const place = homePlace({ kind: "fossil", path: repository });
  const own = dir === place;
  const id = own ? null : Number(/^gates: (\d+)$/m.exec(readFileSync(place, "utf8"))?.[1] ?? Number.NaN);
  const { gates } = layout(dir);
  const file = join(gates, id === null ? "commit-msg" : `${id}.commit-msg`);
  // Where it cannot be read, the gate is asked, and says why it refuses.
  return { hooks: !existsSync(file) || !/_gatepost_done "0"$/.test(readFileSync(file, "latin1")), id };
}

/** A message that stands on the command line, or in a file that it names. */
async function commitGiven(committing: Committing, argv: readonly string[]): Promise<number> {
  const { cwd, words } = committing;
  const stdin = words.comment === null && words.messageFile === "-";
  const given = words.comment ?? (words.messageFile === null ? "" : readMessage(words.messageFile, cwd));
  const folder = mkdtempSync(join(tmpdir(), "gatepost-commit-"));
  const file = join(folder, "message");
  try {
    const asked = given.endsWith("\n") || given === "" ? given : `${given}\n`;
    writeFileSync(file, asked, { mode: 0o600 });
    const verdict = await askGate(committing, file);
    const answered = readFileSync(file, "utf8");
    if (verdict !== 0) {
      if (stdin) keep(committing, given);
      return verdict;
    }
    if (answered === asked && !stdin) return await run("fossil", ["commit", ...argv], cwd);
    const code = await commitWith(committing, file, answered);
    if (code !== 0 && stdin) keep(committing, answered);
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readMessage(file: string, cwd: string): string {
  try {
    return readFileSync(file === "-" ? 0 : resolve(cwd, file), "utf8");
  } catch (cause) {
    throw new GatepostError("GP_NO_FILE", `The message cannot be read from ${file}. Nothing was done.`, {
      hint: "-M takes a file, or - for stdin.",
      cause,
    });
  }
}

/** A message that somebody is to type. */
async function commitTyped(committing: Committing, argv: readonly string[]): Promise<number> {
  const { cwd, checkout, home, words, say } = committing;
  const script = editorScript(home);
  const set = words.editor ?? (await editorSetting(cwd));
  if (set?.includes("/shim/fossil-editor") === true) return run("fossil", ["commit", ...argv], cwd);
  if (set === null) {
    const former = process.env["VISUAL"] ?? process.env["EDITOR"] ?? "";
    const visual = quoted(script);
    return run("fossil", ["commit", ...argv], cwd, { VISUAL: visual, GATEPOST_EDITOR: former });
  }
  const file = join(checkout, `ci-comment-${randomBytes(6).toString("hex").toUpperCase()}.txt`);
  writeFileSync(file, await template(checkout), { mode: 0o600 });
  const edited = await run(script, [file], cwd, { GATEPOST_EDITOR: set });
  if (edited !== 0) return edited;
  const code = await commitWith(committing, file, readFileSync(file, "utf8"));
  if (code === 0) rmSync(file, { force: true });
  else say(`your message is kept in ${file}; to commit with it, give that file to -M`);
  return code;
}

/** What fossil shows in its own file: what is committed, as comments. */
async function template(checkout: string): Promise<string> {
  const { stdout } = await capture("fossil", ["changes"], { cwd: checkout, env: environment({}) });
  const lines = stdout.toString("utf8").split("\n").slice(0, -1);
  return [
    "",
    "# Enter a commit message for this check-in. Lines beginning with # are ignored.",
    "#",
    ...lines.map((line) => `# ${line}`),
    "",
  ].join("\n");
}

async function editorSetting(cwd: string): Promise<string | null> {
  const { stdout } = await capture("fossil", ["settings", "editor"], { cwd, env: environment({}) });
  return /^editor +\((?:local|global)\) +(.+)$/m.exec(stdout.toString("utf8"))?.[1] ?? null;
}

/** Has fossil commit with this message, without the newline at its end, which fossil would keep. */
function commitWith({ cwd, words }: Committing, file: string, message: string): Promise<number> {
  writeFileSync(file, message.trimEnd());
  return run("fossil", ["commit", "-M", file, ...words.others], cwd);
}

function keep({ checkout, say }: Committing, message: string): void {
  const file = join(checkout, `ci-comment-${randomBytes(6).toString("hex").toUpperCase()}.txt`);
  writeFileSync(file, message, { mode: 0o600 });
  say(`your message is kept in ${file}; to commit with it, give that file to -M`);
}

const GATE = [
  "_gatepost_home=$1 _gatepost_key=$2 _gatepost_repository=$3 _gatepost_hook=commit-msg _gatepost_named=$4",
  "shift 4",
  '. "$_gatepost_home/shim/fossil"',
].join("\n");

function askGate({ home, repository, id, cwd, words }: Committing, file: string): Promise<number> {
  return run("/bin/sh", ["-c", GATE, "sh", home, String(id ?? ""), repository, words.branch ?? "", file], cwd);
}

function environment(more: Record<string, string>): Record<string, string> {
  // Read by the gates, for what they say; hooks do not get it.
  const all = Object.entries({ ...process.env, ...more, _gatepost_caller: "gatepost commit" });
  return Object.fromEntries(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

const run = (file: string, args: readonly string[], cwd: string, more: Record<string, string> = {}): Promise<number> =>
  runHere(file, args, { cwd, env: environment(more) });
