/**
 * Pauses: whoever migrates a server, or mends what a hook talks to, holds back what would only fail.
 *
 * Of a paused repository nothing is cut and nothing is run; what is received goes on being taken in, and since the window
 * stands still meanwhile (core/cut.ts) all of it is handed out afterwards. Of a paused hook the runs are made when a batch
 * is cut, and wait; other hooks go on. What runs when the pause begins ends by itself. A gate cannot wait: it is switched
 * off (`hook disable`), or it is asked.
 *
 * Proven by test/e2e/pause.test.ts.
 */
import { GatepostError } from "../core/errors.ts";
import { covers, type Hook } from "../core/hook.ts";
import { isEventType } from "../core/hook-type.ts";
import { type Pause, pauseText, readPause } from "../core/pause.ts";
import type { Instant } from "../core/units.ts";
import { write } from "../store/database.ts";
import { hookById } from "../store/hook.ts";
import {
  pausedHook,
  pausedHooks,
  pauseHook as pauseHookRow,
  pauseRepository,
  resumeHook as resumeHookRow,
  resumeRepository,
} from "../store/pause.ts";
import { listRepositories, type RepositoryRow, repositoryById } from "../store/repository.ts";
import { type OpenHome, requireOwner, whoami } from "./open.ts";

export { type Pause, pauseInWords, readPause } from "../core/pause.ts";

/** What a call changed: `was`, it was paused before (or, of resume, was not). `pause` is the one that holds, or held. */
export type Changed = { name: string; pause: Pause | null; was: boolean };

const pauseOfNow = (why: string | null): Pause => ({ at: Date.now() as Instant, by: whoami().user, why });

/** Pauses repositories, all of them or none. One that is paused already keeps its pause. */
export function pauseRepositories(home: OpenHome, rows: readonly RepositoryRow[], why: string | null): Changed[] {
  requireOwner(home.dir);
  const pause = pauseOfNow(why);
  return write(home.db, () =>
    rows.map(({ id, name }) => {
      const done = pauseRepository(home.db, id, pauseText(pause), pause.at);
      return { name, was: !done, pause: readPause(repositoryById(home.db, id)?.paused ?? null) };
    }),
  );
}

/** Ends pauses of repositories. */
export function resumeRepositories(home: OpenHome, rows: readonly RepositoryRow[]): Changed[] {
  requireOwner(home.dir);
  return write(home.db, () =>
    rows.map(({ id, name }) => {
      const pause = readPause(repositoryById(home.db, id)?.paused ?? null);
      return { name, pause, was: !resumeRepository(home.db, id) };
    }),
  );
}

/** Pauses a hook that the backoffice runs; GP_TYPE for any other. One that is paused already keeps its pause. */
export function pauseHook(home: OpenHome, hook: Hook, why: string | null): Changed {
  requireOwner(home.dir);
  const word = hook.name ?? String(hook.id);
  if (hook.type === "disabled")
    throw new GatepostError("GP_TYPE", `Hook ${word} is switched off already. Nothing was changed.`, {
      hint: `Switch it on again: gatepost hook enable ${word}`,
    });
  if (hook.type !== "after-receive" && !isEventType(hook.type))
    throw new GatepostError("GP_TYPE", `Hook ${word} is a ${hook.type} hook, which cannot wait. Nothing was changed.`, {
      hint: `Switch it off: gatepost hook disable ${word}`,
    });
  const pause = pauseOfNow(why);
  return write(home.db, () => {
    const done = pauseHookRow(home.db, hook.id, pauseText(pause));
    return { name: word, was: !done, pause: readPause(pausedHook(home.db, hook.id)) };
  });
}

/** Ends the pause of a hook. */
export function resumeHook(home: OpenHome, hook: Hook): Changed {
  requireOwner(home.dir);
  return write(home.db, () => {
    const pause = readPause(pausedHook(home.db, hook.id));
    return { name: hook.name ?? String(hook.id), pause, was: !resumeHookRow(home.db, hook.id) };
  });
}

export type Pauses = {
  repositories: { name: string; path: string; pause: Pause }[];
  hooks: { hook: Hook; pause: Pause }[];
};

/** What is paused of a repository, or in the whole home when null. */
export function pausesOf(home: OpenHome, repository: RepositoryRow | null): Pauses {
  const rows = repository === null ? listRepositories(home.db) : [repositoryById(home.db, repository.id) ?? repository];
  return {
    repositories: rows.flatMap(({ name, path, paused }) => {
      const pause = readPause(paused);
      return pause === null ? [] : [{ name, path, pause }];
    }),
    hooks: pausedHooks(home.db).flatMap(({ id, paused }) => {
      const [hook, pause] = [hookById(home.db, id), readPause(paused)];
      const isMeant = hook !== null && (repository === null || covers(hook.scope, repository));
      return isMeant && pause !== null ? [{ hook, pause }] : [];
    }),
  };
}
