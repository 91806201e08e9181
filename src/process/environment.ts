/**
 * What a hook inherits. Whoever started us may have been started by a pusher, from an editor or from another hook, so
 * nothing goes on to a hook but what is named here: an allow-list, because a list of the dangerous ones
 * (LD_PRELOAD, NODE_OPTIONS, BASH_ENV, GIT_*, FOSSIL_*, PERL5LIB…) is never complete.
 */
import { closeSync, readdirSync, readFileSync } from "node:fs";

// XDG_RUNTIME_DIR: without it `systemctl --user restart …`, which is all that many deployment hooks do, cannot work.
const allowed = /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TMPDIR|XDG_RUNTIME_DIR)$/;

/** PATH where none is given, or none that could be trusted. */
export const USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of a server hook: what the allow-list takes from `source`, and over it all of `own`, as it is.
 *  PATH keeps only its absolute entries (a hook's directory is a repository, which holds what others pushed), and is
 *  the usual one where none is left. */
export function hookEnvironment(source: NodeJS.ProcessEnv, own: Record<string, string>): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(source))
    if (value !== undefined && allowed.test(name)) environment[name] = value;
  const path = (source["PATH"] ?? "").split(":").filter((entry) => entry.startsWith("/"));
  environment["PATH"] = path.length === 0 ? USUAL_PATH : path.join(":");
  return Object.assign(environment, own);
}

/** Closes what this process inherited above stderr and would pass on to every hook: a lock of flock(1), a log, a pipe
 *  that somebody waits on. Node marks only the first few as close-on-exec (libuv stops at the first gap above 15; seen
 *  on 20.20 with descriptor 251). Its own all carry the mark, by which the inherited ones are told. For a program's
 *  start, before anything else is opened; not for a library, whose host may want them. Returns how many it closed. */
export function closeInheritedDescriptors(): number {
  const closeOnExec = 0o2000000;
  let closed = 0;
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    if (descriptor <= 2) continue;
    try {
      const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "latin1"))?.[1];
      if (flags === undefined || (Number.parseInt(flags, 8) & closeOnExec) !== 0) continue;
      closeSync(descriptor);
      closed += 1;
    } catch {
      // The descriptor of the directory we are reading: closed since it was listed.
    }
  }
  return closed;
}
