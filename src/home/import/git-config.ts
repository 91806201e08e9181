/**
 * Hooks in Git's own configuration (Git 2.54 and later): `hook.NAME.event`, `.command`, `.enabled`, `.parallel`.
 *
 * Hooks of an event run in the order of their last event lines; an empty event takes back those before it; of the other
 * settings the last one counts. Git appends "$@" to the command. Git runs all of an event even when one has failed; a
 * gate stops at the first, and the commit is refused either way.
 */
import { typed } from "../../core/shell-word.ts";
import {
  type Foreign,
  foreignHook,
  type Left,
  nameFrom,
  noTypeFor,
  switchedOff,
  typeOf,
  withoutPlaces,
} from "./foreign.ts";

type Configured = {
  name: string;
  /** In the order of their last lines; `at` is the line. */
  events: Map<string, number>;
  command: string | null;
  enabled: boolean;
  parallel: boolean;
  scopes: Set<string>;
};

/** The hooks in what `git config --null --show-scope --get-regexp '^hook\.'` prints: scope NUL key LF value NUL. */
export function gitConfigHooks(output: string): Foreign {
  const configured = read(output);
  const left: Left[] = [];
  const events = [...configured.values()].flatMap((hook) =>
    [...hook.events].map(([event, at]) => ({ event, at, hook })),
  );
  events.sort((a, b) => a.at - b.at);
  const names = new Set(events.map(({ event }) => event));
  const hooks = events.flatMap(({ event, hook }) => {
    const type = typeOf(event);
    const what = `hook.${hook.name}, event ${event}`;
    if (hook.command === null) left.push({ what, why: "it has no command; Git itself stops at that" });
    else if (type === null) {
      const covered = event === "pre-merge-commit" && hook.events.has("pre-commit");
      if (!covered) left.push({ what, why: noTypeFor(event) });
    } else {
      const all = events.filter((one) => one.event === event).every((one) => one.hook.parallel);
      const parallel = event === "pre-push" && all && events.filter((one) => one.event === event).length > 1;
      const command = `${withoutPlaces(hook.command)}${WITHOUT_ARGUMENTS.has(event) ? "" : ' "$@"'}`;
      const made = foreignHook(type, nameFrom(hook.name), command, { parallel });
      const off = !hook.enabled || configured.get(event)?.enabled === false;
      return [off ? switchedOff(made) : made];
    }
    return [];
  });
  for (const { name } of configured.values())
    if (configured.get(name)?.events.size === 0 && !names.has(name))
      left.push({ what: `hook.${name}`, why: "it has no event, so Git never runs it" });
  return { hooks, left, next: hooks.length === 0 ? [] : removals(configured) };
}

const WITHOUT_ARGUMENTS = new Set(["pre-commit", "post-commit", "pre-receive", "post-receive"]);

const removals = (configured: ReadonlyMap<string, Configured>): string[] =>
  [...configured.values()].flatMap(({ name, events, scopes }) =>
    events.size === 0
      ? []
      : [...scopes]
          .filter((scope) => scope !== "command")
          .map((scope) => `git config --${scope} --remove-section ${typed(`hook.${name}`)}`),
  );

function read(output: string): Map<string, Configured> {
  const configured = new Map<string, Configured>();
  const parts = output.split("\0");
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [key = "", ...rest] = (parts[i + 1] ?? "").split("\n");
    const value = rest.length === 0 ? null : rest.join("\n"); // a key alone is true
    const [, name, variable] = /^hook\.(.+)\.([^.]+)$/s.exec(key) ?? [];
    if (name === undefined) continue;
    const hook = configured.get(name) ?? {
      name,
      events: new Map(),
      command: null,
      enabled: true,
      parallel: false,
      scopes: new Set(),
    };
    configured.set(name, hook);
    hook.scopes.add(parts[i] ?? "local");
    if (variable === "event" && value === "") hook.events.clear();
    else if (variable === "event") hook.events.set(value ?? "", i);
    else if (variable === "command") hook.command = value;
    else if (variable === "enabled") hook.enabled = isTrue(value);
    else if (variable === "parallel") hook.parallel = isTrue(value);
  }
  return configured;
}

const isTrue = (value: string | null): boolean => value === null || !/^(false|no|off|0|)$/i.test(value);
