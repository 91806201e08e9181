/**
 * Every way a call can be wrong or fail, in one list. An expected outcome (a hook that failed, a lease somebody else
 * holds) is a value and not here; an error means that the caller cannot go on, and says what to do next.
 */

/** Exit codes are a stable contract; a hook's own code is reported and never confused with these. */
export const EXIT = {
  done: 0,
  refused: 1,
  usage: 2,
  missing: 3,
  busy: 4,
  damaged: 5,
  exhausted: 6,
  denied: 7,
  bug: 70,
} as const;

/** Code, its exit code, and what it means. docs/errors.md is made from this table. */
export const ERRORS = {
  GP_USAGE: [EXIT.usage, "The call is wrong: an option, an argument or a combination of them."],
  GP_TYPE: [EXIT.usage, "There is no such hook type, or the repository cannot fire it."],
  GP_SEQUENCE: [EXIT.usage, "A sequence is a whole number."],
  GP_COMMAND: [EXIT.usage, "The command is empty or the shell cannot read it."],
  GP_SUBSTITUTE: [EXIT.usage, "A %F, %R or %A stands where Gatepost cannot make it one safe word."],
  GP_NAME: [EXIT.usage, "A name is taken or not allowed."],
  GP_IMPORT: [EXIT.usage, "What should be imported is not in the format that export writes."],
  GP_NO_HOOK: [EXIT.missing, "There is no hook with that id or name."],
  GP_NO_RUN: [EXIT.missing, "There is no such run."],
  GP_NO_COMMIT: [EXIT.missing, "The repository has no such commit or ref, and no receipt tells of one."],
  GP_NO_HOME: [EXIT.missing, "No home was found: the repository is not registered."],
  GP_NO_FILE: [EXIT.missing, "A file that the call names is not there."],
  GP_NO_REPOSITORY: [EXIT.missing, "The path is no repository, or none of this home."],
  GP_REPOSITORY: [EXIT.usage, "The repository is of a kind or at a path that Gatepost cannot serve."],
  GP_HOME_MOVED: [EXIT.denied, "The home is a copy or was moved since it was registered."],
  GP_NOT_OWNER: [EXIT.denied, "The home or repository belongs to another user."],
  GP_DENIED: [EXIT.denied, "A file or folder cannot be read or written."],
  GP_BUSY: [EXIT.busy, "The database or the lease is held by another process."],
  GP_LEASE_LOST: [EXIT.busy, "Another backoffice took the lease over; this one stops."],
  GP_DAMAGED: [EXIT.damaged, "The database is damaged or is no Gatepost database, or the disk fails."],
  GP_TOO_NEW: [EXIT.damaged, "The database was made by a newer Gatepost."],
  GP_FULL: [EXIT.exhausted, "The disk, or a limit on files or processes, is exhausted."],
  GP_PROGRAM: [EXIT.missing, "A program that is needed (git, sh) is missing or too old."],
  GP_SERVICE: [EXIT.refused, "A unit or crontab line is not ours to change, or systemd or cron refused it."],
  GP_VCS: [EXIT.bug, "The version-control program failed in a way that Gatepost does not know."],
  GP_CLOSED: [EXIT.usage, "A program used a home that it had closed, or a list whose hook had ended."],
  GP_THREAD: [EXIT.bug, "The thread that works for an embedding program ended before its time, or cannot be started."],
  GP_NATIVE: [EXIT.bug, "The native SQLite module is missing or was built for another Node."],
  GP_BUG: [EXIT.bug, "Something that cannot happen did: a bug in Gatepost."],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof ERRORS;

/** `message` is one sentence that names the thing; `hint`, where there is one, is the next step to take. */
export class GatepostError extends Error {
  readonly code: ErrorCode;
  readonly exitCode: number;
  readonly hint: string | null;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "GatepostError";
    this.code = code;
    this.exitCode = ERRORS[code][0];
    this.hint = options.hint ?? null;
  }
}

/** Whether an error came from a system call, whatever its code: the world's doing, not a bug. */
export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === "string";

/** An error of the operating system about a file, as one of ours; anything else comes back as it is. */
export function fromSystem(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof GatepostError) return error;
  const { code = "", path = "a file" } = error as { code?: unknown; path?: unknown };
  if (/^(EACCES|EPERM|EROFS)$/.test(String(code)))
    return new GatepostError("GP_DENIED", `${path} cannot be read or written by this user (${code}).`, {
      hint: "Call gatepost as the owner of the home, or mend the permissions of its folder.",
      cause: error,
    });
  if (/^(ENOSPC|EDQUOT|EMFILE|ENFILE|ENOMEM)$/.test(String(code)))
    return new GatepostError("GP_FULL", `There is no room for ${path} (${code}).`, {
      hint: "Free some space or raise the limit; what was acknowledged before is safe.",
      cause: error,
    });
  if (/^(EIO|ESTALE|EUCLEAN|ENXIO)$/.test(String(code)))
    return new GatepostError("GP_DAMAGED", `The disk failed to read or write ${path} (${code}).`, {
      hint: "Look at the disk (dmesg); what was acknowledged before is safe.",
      cause: error,
    });
  return error;
}

/** What was thrown, as one of our errors where it is one of the system's: what the world may do to a home, and whoever
 *  serves several goes on. Whatever else it is, is a bug, and is thrown on. */
export function knownError(thrown: unknown): GatepostError | NodeJS.ErrnoException {
  const error = fromSystem(thrown);
  if (error instanceof GatepostError || isSystemError(error)) return error;
  throw error;
}

/** An error in one line: what went wrong, and what to do next. */
export const inOneLine = (error: Error): string =>
  error instanceof GatepostError && error.hint !== null ? `${error.message} ${error.hint}` : error.message;
