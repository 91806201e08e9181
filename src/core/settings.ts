/** The settings of a home: name, default, what it is for, and which texts it takes. */
import { GatepostError } from "./errors.ts";
import { nearest } from "./hook-type.ts";
import { type Millis, parseDuration } from "./units.ts";

type Setting = { fallback: string; says: string; accepts: (text: string) => boolean };

const duration = (text: string): boolean => parseDuration(text) !== null;
const oneOf =
  (...words: string[]) =>
  (text: string): boolean =>
    words.includes(text);
const count = (text: string): boolean => /^\d{1,9}$/.test(text);

export const SETTINGS = {
  window: {
    fallback: "24h",
    says: "receipts older than this against the newest of a batch are left out; 'all': none",
    accepts: (t) => t === "all" || duration(t),
  },
  refs: {
    fallback: "auto",
    says: "Git: refs the ledger keeps: 'all', 'public' (heads, tags, notes), or 'auto': all when bare, else public",
    accepts: oneOf("auto", "all", "public"),
  },
  "automatic-backoffice": {
    fallback: "on",
    says: "Git: a push starts a backoffice in the background when none is alive",
    accepts: oneOf("on", "off"),
  },
  "durable-spool": {
    fallback: "off",
    says: "Git: a push waits until its entry is on disk, so that a power cut does not make us forget who pushed",
    accepts: oneOf("on", "off"),
  },
  "reconcile-age": {
    fallback: "2s",
    says: "Git: how old an unexplained difference must be before it becomes a receipt",
    accepts: duration,
  },
  path: {
    fallback: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    says: "PATH of the gates of pushes, since the pusher's own cannot be trusted",
    accepts: (t) => t !== "" && t.split(":").every((entry) => /^\/[^\n\0]*$/.test(entry)),
  },
  timeout: { fallback: "600s", says: "for after-receive hooks without --timeout", accepts: duration },
  grace: { fallback: "10s", says: "between TERM and KILL", accepts: duration },
  drain: { fallback: "2s", says: "how long a hook's output may stay open after it ended", accepts: duration },
  "retry-base": {
    fallback: "30s",
    says: "wait before the second attempt; doubles with each further one, up to an hour",
    accepts: duration,
  },
  "retention-age": { fallback: "30d", says: "how long runs, batches and receipts are kept", accepts: duration },
  "retention-size": {
    fallback: "1024",
    says: "MiB that the database may take before older runs go early",
    accepts: count,
  },
  "retention-runs": {
    fallback: "100",
    says: "the last runs of each repository that are kept however old",
    accepts: count,
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** The setting's name, or an error that names the nearest one. */
export function requireSetting(name: string): SettingName {
  if (Object.hasOwn(SETTINGS, name)) return name as SettingName;
  const near = nearest(name, Object.keys(SETTINGS));
  throw new GatepostError("GP_USAGE", `"${name}" is not a setting.${near === null ? "" : ` Did you mean ${near}?`}`, {
    hint: "All settings: gatepost settings",
  });
}

/** Refuses a value that the setting does not take. */
export function requireSettingValue(name: SettingName, value: string): string {
  if (SETTINGS[name].accepts(value)) return value;
  throw new GatepostError("GP_USAGE", `"${value}" is not a value for ${name}.`, {
    hint: `${name}: ${SETTINGS[name].says} (default ${SETTINGS[name].fallback}).`,
  });
}

/** A setting's value as people read it: of a length of time with its unit, which may be left out where it is set. */
export const shownSetting = (name: SettingName, value: string): string =>
  SETTINGS[name].accepts("1s") && /^\d+$/.test(value) ? `${value} s` : value;

/** All settings of a home, read once per look: the stored text where there is one, else the default. */
export type Settings = Readonly<Record<SettingName, string>>;

export function settingsFrom(stored: ReadonlyMap<string, string>): Settings {
  const entries = Object.entries(SETTINGS).map(([name, { fallback }]) => [name, stored.get(name) ?? fallback]);
  return Object.fromEntries(entries) as Settings;
}

/** A setting that is a duration, in milliseconds. */
export const settingMillis = (settings: Settings, name: SettingName): Millis =>
  parseDuration(settings[name]) ?? (0 as Millis);
