/**
 * How git is started on a repository that is not trusted. Its configuration can name programs (pager, fsmonitor,
 * signature check, text conversion, transport); reading it must run none of them, in any version of git.
 *
 * Three walls, each enough for what it covers:
 *   1. Only plumbing and `log` with a fixed format run: they show no patch, touch no index and no work tree.
 *   2. What the repository's file says is overruled on the command line, and nobody else's configuration is read.
 *   3. The environment is written out in full. Nothing a pusher sets (GIT_*, LD_PRELOAD) is passed on, and no
 *      transport is allowed, so that a missing object of a partial clone is missing instead of being fetched.
 *
 * Proven by "G7" in test/vcs/git-hostile.test.ts.
 */
import { displayText, fromText } from "../../core/bytes.ts";
import { GatepostError } from "../../core/errors.ts";
import { type Ending, type Environment, stream } from "../../process/command.ts";

export type Running = ReturnType<typeof stream>;

/** What every start of git shares. HOME and PATH are ours: git and its own helpers are found with them. */
export function gitEnvironment(): Environment {
  return {
    PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    HOME: process.env["HOME"] ?? "/",
    LC_ALL: "C", // messages are compared
    TZ: "UTC", // dates in lists
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1", // a replacement would show one thing under the hash of another
    GIT_NO_LAZY_FETCH: "1", // git >= 2.45; older ones are held by the next line
    GIT_ALLOW_PROTOCOL: "", // beats every protocol.* setting: no transport, no remote helper
    GIT_PAGER: "cat",
  };
}

const overruled = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.alternateRefsCommand=",
  "core.attributesFile=/dev/null",
  "protocol.allow=never",
  "log.showSignature=false",
  "i18n.logOutputEncoding=UTF-8", // not the repository's choice: lists are UTF-8 where names can be
  "color.ui=false",
].flatMap((setting) => ["-c", setting]);

/** The program, the arguments that come before a subcommand, and the environment, for reading `gitDir`. */
export function gitCommand(gitDir: string): { file: string; args: string[]; env: Environment; cwd: string } {
  return {
    file: "git",
    // A work tree is named so that core.worktree, which may point anywhere or nowhere, is not followed.
    args: ["--no-pager", `--git-dir=${gitDir}`, `--work-tree=${gitDir}`, ...overruled],
    env: { ...gitEnvironment(), GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" },
    cwd: "/", // exists even when the repository does not; and no pathspec is relative to anything but the root
  };
}

/** Starts git on `gitDir`, with `input` on its stdin. */
export function startGit(gitDir: string, args: readonly string[], input?: Uint8Array): Running {
  const git = gitCommand(gitDir);
  const running = stream(git.file, [...git.args, ...args], { env: git.env, cwd: git.cwd });
  running.stdin.end(input ?? Buffer.alloc(0));
  return running;
}

/** Ends programs that are still running and waits until they are gone. Harmless on those that have ended. */
export async function endAll(running: readonly Running[]): Promise<void> {
  for (const one of running) {
    one.kill();
    one.stdout.destroy(); // unread output would keep the pipe open, and `ended` waiting
  }
  await Promise.allSettled(running.map((one) => one.ended));
}

/** All a program prints, and how it ended. For answers that fit in memory. */
export async function collect(running: Running): Promise<Ending & { stdout: Buffer }> {
  const chunks: Buffer[] = [];
  for await (const chunk of running.stdout) chunks.push(chunk as Buffer);
  return { ...(await running.ended), stdout: Buffer.concat(chunks) };
}

/** The error for a git that did not end well on `path`. */
export function gitFailure(path: string, what: string, ending: Ending): GatepostError {
  const said = displayText(fromText(ending.stderr.trim().split("\n").at(-1) ?? "")) || "nothing was said";
  const shown = displayText(fromText(path));
  if (/^fatal: not a git repository/m.test(ending.stderr))
    return new GatepostError("GP_NO_REPOSITORY", `${shown} is not a Git repository.`, {
      hint: "Check the path; a repository that was moved is registered anew with gatepost init.",
    });
  if (/^fatal: detected dubious ownership/m.test(ending.stderr))
    return new GatepostError("GP_NOT_OWNER", `${shown} belongs to another user, so git refuses to read it.`, {
      hint: `Run this as its owner, or allow it: git config --global --add safe.directory '${shown}'`,
    });
  if (/invalid filter-spec|unknown option|unrecognized argument/.test(ending.stderr))
    return new GatepostError("GP_PROGRAM", `This git is too old (${said}).`, { hint: "Install git 2.32 or newer." });
  const how = ending.signal === null ? `exit code ${ending.code}` : `signal ${ending.signal}`;
  return new GatepostError("GP_VCS", `git could not ${what} of ${shown} (${how}): ${said}`, {
    hint: `Look at the repository with: git --git-dir='${shown}' fsck`,
  });
}
