/**
 * Hook types: the points in the life of a commit or push at which a hook can run. Names are Fossil's first, then
 * Subversion's, then Git's own. `runsOn` says which kinds of repository can fire the type; `ready` says whether this
 * version runs it: a type that is not ready can be stored, and whoever stores it is told.
 */
export type Kind = "git" | "fossil" | "subversion" | "mercurial" | "inbox";

export type TypeFacts = {
  name: string;
  role: "gate" | "after" | "native" | "off";
  runsOn: readonly Kind[];
  ready: boolean;
  says: string;
};

const everywhere: readonly Kind[] = ["git", "fossil", "subversion", "mercurial", "inbox"];

export const TYPES: readonly TypeFacts[] = [
  {
    name: "after-receive",
    role: "after",
    runsOn: everywhere,
    ready: true,
    says: "new artifacts arrived; run in the background by the backoffice",
  },
  {
    name: "before-commit",
    role: "gate",
    runsOn: ["git", "fossil", "mercurial"],
    ready: true,
    says: "a commit is about to be made; may refuse it",
  },
  {
    name: "commit-msg",
    role: "gate",
    runsOn: ["git", "fossil", "subversion", "mercurial"],
    ready: true,
    says: "the commit message is known; may refuse or rewrite it",
  },
  { name: "after-commit", role: "after", runsOn: ["git", "mercurial"], ready: true, says: "a local commit was made" },
  {
    name: "before-push",
    role: "gate",
    runsOn: ["git", "mercurial"],
    ready: true,
    says: "on the pushing side; may refuse the push",
  },
  {
    name: "before-receive",
    role: "gate",
    runsOn: ["git", "subversion", "mercurial"],
    ready: true,
    says: "a push was received and is not public yet; may refuse all of it",
  },
  {
    name: "before-ref",
    role: "gate",
    runsOn: ["git", "mercurial"],
    ready: true,
    says: "one ref is about to move; may refuse that one",
  },
  { name: "proc-receive", role: "gate", runsOn: ["git"], ready: false, says: "does the update of a ref itself" },
  {
    name: "start-commit",
    role: "gate",
    runsOn: ["subversion", "mercurial"],
    ready: false,
    says: "a commit begins, without content yet",
  },
  { name: "disabled", role: "off", runsOn: everywhere, ready: true, says: "never runs; keeps the command for later" },
];

/** Native names of Git hooks that have a type of their own; they are accepted and answered with that type. */
const ALIASES: Record<string, string> = {
  "pre-commit": "before-commit",
  "pre-merge-commit": "before-commit",
  "pre-push": "before-push",
  "pre-receive": "before-receive",
  update: "before-ref",
  "post-receive": "after-receive",
  "post-commit": "after-commit",
};

/** Git's other hooks, which have no type of their own: `git:NAME`, and when Git runs each. */
const NATIVE = {
  "prepare-commit-msg": "the message is about to be edited; may change it or refuse",
  "pre-rebase": "a rebase is about to begin; may refuse it",
  "post-checkout": "a work tree was checked out",
  "post-merge": "a merge or pull was made",
  "post-rewrite": "commits were amended or rebased",
  "applypatch-msg": "git am has a message; may change it or refuse",
  "pre-applypatch": "git am applied a patch and has not committed it; may refuse",
  "post-applypatch": "git am committed a patch",
  "pre-auto-gc": "git is about to clean up by itself; may refuse",
  "post-update": "refs were updated by a push",
  "push-to-checkout": "a push is to change the branch that is checked out; does it",
  "sendemail-validate": "a patch is about to be mailed; may refuse",
  "post-index-change": "the index was written",
  "reference-transaction": "refs are being changed; may refuse",
} as const;

/** The events that this version fires, and when. */
const EVENTS = {
  parked: "a run has used up its attempts and waits for a person",
  "left-out": "receipts were older than the window when a batch was cut",
  "gate-missing": "a shim has vanished from a hooks folder",
} as const;
export type EventName = keyof typeof EVENTS;

/** The types `on:NAME` of these. */
export const EVENT_TYPES: readonly TypeFacts[] = Object.entries(EVENTS).map(([name, says]) => {
  return { name: `on:${name}`, role: "after", runsOn: everywhere, ready: true, says };
});

/** The facts of an event's type that nothing fires yet; null where the name is none, or one that is fired, misspelt. */
function laterEvent(name: string): TypeFacts | null {
  if (!/^on:[a-z][a-z0-9-]{0,62}$/.test(name)) return null;
  if (EVENT_TYPES.some((type) => editDistance(name, type.name) <= 2)) return null;
  const role = name.startsWith("on:pre-") ? "gate" : "after";
  return { name, role, runsOn: everywhere, ready: false, says: "an event that nothing fires in this version" };
}

/** Whether hooks of this type are told of events by the backoffice. */
export const isEventType = (type: string): boolean => type.startsWith("on:");

/** The types `git:NAME`. */
export const NATIVE_TYPES: readonly TypeFacts[] = Object.entries(NATIVE).map(([name, says]) => {
  return { name: `git:${name}`, role: "native", runsOn: ["git"], ready: true, says };
});

/** The facts of a type by its name, an alias or `git:NAME`; null where there is no such type. */
export function findType(name: string): TypeFacts | null {
  const wanted = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  const found = TYPES.find((type) => type.name === wanted);
  if (found !== undefined) return found;
  return [...NATIVE_TYPES, ...EVENT_TYPES].find((type) => type.name === name) ?? laterEvent(name);
}

/** Git's hooks that ask a gate of this type, or run its hooks in place; none for types that the backoffice runs. */
export function nativeHooks(type: string): readonly string[] {
  if (type.startsWith("git:")) return [type.slice("git:".length)];
  return Object.hasOwn(GIT_HOOKS, type) ? (GIT_HOOKS[type] ?? []) : [];
}

const GIT_HOOKS: Record<string, readonly string[]> = {
  "before-commit": ["pre-commit", "pre-merge-commit"],
  "commit-msg": ["commit-msg"],
  "after-commit": ["post-commit"],
  "before-push": ["pre-push"],
  "before-receive": ["pre-receive"],
  "before-ref": ["update"],
};

/** All types whose hooks Git runs in place. */
export const IN_PLACE: readonly string[] = [...Object.keys(GIT_HOOKS), ...NATIVE_TYPES.map(({ name }) => name)];

/** Types that run where a push is received, for whoever pushes. */
export const isServerType = (type: string): boolean =>
  ["before-receive", "before-ref", "git:post-update", "git:push-to-checkout"].includes(type);

/** Every word that names a type. */
export const TYPE_WORDS: readonly string[] = [
  ...TYPES.map((type) => type.name),
  ...Object.keys(ALIASES),
  ...NATIVE_TYPES.map(({ name }) => name),
  ...EVENT_TYPES.map(({ name }) => name),
];

/** The known type whose name is nearest to what was typed, if it is near at all. */
export function nearestType(typed: string): string | null {
  return nearest(typed, TYPE_WORDS);
}

/** The candidate nearest to what was typed, by edit distance; null when none is near enough to be meant. */
export function nearest(typed: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  // A word that would have to change in every letter was not meant, however short it is.
  let bestDistance = Math.min(Math.max(2, Math.floor(typed.length / 3)) + 1, typed.length);
  for (const candidate of candidates) {
    const distance = editDistance(typed, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8 || a.length > 64) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + swap));
    }
    row = next;
  }
  return row[b.length] ?? Number.POSITIVE_INFINITY;
}
