/**
 * Starting Gatepost as another user, for root, who reads nothing that is not root's own.
 *
 * setpriv (util-linux) drops real and effective ids and takes the groups that the user has; Node's own `uid` and `gid`
 * would leave a process without supplementary groups, which can then not enter what only a group may. The environment
 * is written out in full: nothing of root's goes along, for what root was started with may name root's files. Each runs in
 * a session of its own, so that a terminal's Ctrl-C reaches root's process alone, which passes it on, and nothing can
 * type into root's terminal; and the kernel sends it TERM when root's process dies, however it does.
 *
 * Proven by test/fault/privileges.test.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { lstatSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { GatepostError } from "../core/errors.ts";
import { USUAL_PATH } from "./environment.ts";
import { findProgram } from "./program.ts";
import type { User } from "./users.ts";

/** All that a user's process gets of an environment. Language and time zone are the system's, and so those of `source`. */
function environmentFor(user: User, source: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const { name, home, shell, uid } = user;
  const environment: Record<string, string> = {
    ...{ HOME: home, USER: name, LOGNAME: name, SHELL: shell, PATH: USUAL_PATH },
  };
  for (const key of ["LANG", "LC_ALL", "TZ"]) if (source[key] !== undefined) environment[key] = source[key];
  const runtime = `/run/user/${uid}`;
  const stat = lstatSync(runtime, { throwIfNoEntry: false });
  if (stat?.isDirectory() && stat.uid === uid) environment["XDG_RUNTIME_DIR"] = runtime;
  return environment;
}

/** A process that was started: `ended` settles with its exit code, or the signal that ended it. */
export type Started = {
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Sends it a signal; harmless after its end. */
  send(signal: NodeJS.Signals): void;
};

/** The program is started by sh, because setpriv keeps root's rights until it has started one: a node that only root may
 *  read would come up, and then know nothing of its own /proc. */
const STEP = '[ -x "$1" ] && [ -r "$2" ] && exec "$@"; exit 126';
/** What sh and setpriv exit with when the program cannot be started. Gatepost itself never does. */
const NOT_STARTED = [126, 127];

/** Starts this node with `argv`, a file and its arguments, as that user, or as root itself (null) in root's own
 *  environment. Descriptors 1 and 2 are shared, stdin is empty. Throws GP_PROGRAM where there is no setpriv; `ended` rejects with it where the user may not
 *  execute our node, and with GP_FULL where the system is out of processes. */
export function startAs(
  user: User | null,
  argv: readonly string[],
  { cwd, env }: { cwd: string; env?: Readonly<Record<string, string>> },
): Started {
  const identity = user === null ? [] : identityOf(user);
  const words = ["--pdeathsig=TERM", "--", "/bin/sh", "-c", STEP, "sh", process.execPath, ...argv];
  const child = spawn(requireSetpriv(), [...identity, ...words], {
    cwd,
    env: { ...(user === null ? process.env : environmentFor(user)), ...env },
    detached: true,
    // Not ours to share: whoever has root's log or terminal open can cut it short, or read from it.
    stdio: ["ignore", "pipe", "pipe"],
  });
  relay(child.stdout, process.stdout);
  relay(child.stderr, process.stderr);
  return { ended: endOf(child, user), send: (signal) => void child.kill(signal) };
}

/** Hands on what is said, as slowly as it is taken. Where nobody takes it, it is read all the same. */
function relay(from: Readable, to: Writable): void {
  from.pipe(to, { end: false });
  to.once("error", () => from.unpipe(to).resume());
}

const identityOf = ({ uid, gid }: User): string[] => [
  `--reuid=${uid}`,
  `--regid=${gid}`,
  "--init-groups", // all groups that the user has, and none of root's
  "--inh-caps=-all", // none of root's rights for those whom it starts
];

/** Where setpriv stands. Throws GP_PROGRAM where it is missing. */
export function requireSetpriv(): string {
  const file = findProgram("setpriv", USUAL_PATH);
  if (file !== "setpriv") return file;
  throw new GatepostError("GP_PROGRAM", "setpriv is missing, without which root cannot work as the owner of a home.", {
    hint: "Install util-linux; or start one backoffice for each owner: sudo -u OWNER gatepost serve",
  });
}

function endOf(child: ChildProcess, user: User | null): Started["ended"] {
  const ended: Started["ended"] = new Promise((resolve, reject) => {
    child.on("error", (cause) => {
      const isFull = /^(EAGAIN|EMFILE|ENFILE|ENOMEM)$/.test((cause as NodeJS.ErrnoException).code ?? "");
      reject(
        new GatepostError(isFull ? "GP_FULL" : "GP_PROGRAM", `No process could be started (${cause.message}).`, {
          cause,
        }),
      );
    });
    child.on("close", (code, signal) => {
      if (user === null || !NOT_STARTED.includes(code ?? 0)) return resolve({ code, signal });
      const hint = "Install node and gatepost where everybody may read and execute them, not below root's own folder.";
      reject(
        new GatepostError("GP_PROGRAM", `${user.name} may not execute ${process.execPath}, or not read gatepost.`, {
          hint,
        }),
      );
    });
  });
  ended.catch(() => {}); // whoever awaits it sees the failure; nobody awaiting it must not end the process
  return ended;
}
