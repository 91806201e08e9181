/**
 * Putting the service in place, asking after it, and taking it out.
 *
 * A unit is written beside its place and renamed into it, so that systemd never reads half of one; cron's own program
 * does the same with a crontab. Then systemd is told. Dying between the two leaves a unit that does nothing yet: the
 * next call finds it as it should be and tells systemd. What somebody edited, or wrote, is refused or put aside, and
 * nothing of it is lost. Proved by test/e2e/service.test.ts.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { GatepostError } from "../../core/errors.ts";
import { commandOfLine, cronBlock, locateBlock, withBlock } from "./crontab.ts";
import {
  askSystemctl,
  type Host,
  readCrontab,
  type Scope,
  serviceEnvironment,
  systemctl,
  systemctlCall,
  writeCrontab,
} from "./host.ts";
import { type Found, judge } from "./sealed.ts";
import { commandOf, unitText } from "./unit.ts";

/** Its name in each folder of units. */
const UNIT = "gatepost.service";

/** Where a service is: in a unit file, or in the crontab of whoever calls. */
export type Place = { by: "systemd"; scope: Scope; file: string } | { by: "cron" };

/** What was asked for. */
export type Wanted = {
  by: "systemd" | "cron";
  scope: Scope;
  names: readonly string[];
  strict: boolean;
  setuid: boolean;
};

/** What installing would do. */
export type Plan = {
  place: Place;
  /** What will stand there. */
  text: string;
  found: Found;
  /** It stands there already, byte for byte. */
  isThere: boolean;
  /** The calls that follow the writing. */
  calls: string[][];
};

/** Works out what installing would do, and changes nothing, also where there is no program to do it with. Throws GP_USAGE
 *  where a path cannot be named in that place, GP_SERVICE where the crontab cannot be read. */
export async function planInstall(host: Host, { by, scope, names, strict, setuid }: Wanted): Promise<Plan> {
  const common = { node: host.node, program: host.program, names };
  if (by === "cron") {
    const text = cronBlock({ ...common, env: serviceEnvironment(host, "cron") });
    const { found, text: there } = locateBlock((await readCrontab(host)) ?? "");
    return { place: { by }, text, found, isThere: there === text, calls: [] };
  }
  const file = join(host.units[scope], UNIT);
  const text = unitText({ ...common, scope, strict, setuid, env: serviceEnvironment(host, scope) });
  const there = readUnit(file);
  const isThere = there.text === text;
  const calls: string[][] = [];
  if (host.systemdRuns) {
    const isOn = isThere && (await askSystemctl(host, scope, "is-enabled", UNIT)) === "enabled";
    const isUp = isThere && (await askSystemctl(host, scope, "is-active", UNIT)) === "active";
    if (!isOn || !isUp) calls.push(["daemon-reload"], ["enable", "--now", UNIT]);
    if (!isThere && there.found === "ours") calls.push(["try-restart", UNIT]); // what runs was started by the old one
  }
  return { place: { by, scope, file }, text, found: there.found, isThere, calls };
}

/** The calls of a plan as one would type them. */
export const callsOf = ({ place, calls }: Plan): string[] =>
  calls.map((words) => (place.by === "systemd" ? systemctlCall(place.scope, ...words) : words.join(" ")));

/** Does what the plan says; true when anything had to be done. Throws GP_SERVICE where the place is not ours to write. */
export async function install(host: Host, plan: Plan): Promise<boolean> {
  requireOurs(plan);
  const { place, text, isThere, calls } = plan;
  if (!isThere && place.by === "cron") await writeCrontab(host, withBlock(await requireCrontab(host), text));
  if (!isThere && place.by === "systemd") writeUnit(place.file, text);
  if (place.by === "systemd") for (const words of calls) await systemctl(host, place.scope, ...words);
  return !isThere || calls.length > 0;
}

/** Throws GP_SERVICE where something stands that is not, or no longer, as we wrote it. */
export function requireOurs({ place, found }: Pick<Plan, "place" | "found">): void {
  if (found !== "edited" && found !== "foreign") return;
  if (place.by === "cron") requireOursInCrontab();
  throw new GatepostError(
    "GP_SERVICE",
    found === "edited"
      ? `${place.file} was edited since Gatepost wrote it.`
      : `${place.file} was not written by Gatepost.`,
    {
      hint:
        found === "edited"
          ? "gatepost service uninstall puts it aside and keeps it; what it changes belongs into: systemctl edit gatepost"
          : "Move it away, or use it as it is.",
    },
  );
}

/** What there is of the service in one place. */
export type State = {
  place: Place;
  found: Found;
  /** Of a unit: what systemd says; null where it cannot be asked. */
  enabled: string | null;
  active: string | null;
  /** Node and program, as absolute paths, and whether both are there. */
  starts: string[] | null;
  isStartable: boolean;
};

/** The places in which this user's service can be. */
export function placesOf(host: Host, scopes: readonly Scope[]): Place[] {
  return [
    ...scopes.map((scope) => ({ by: "systemd", scope, file: join(host.units[scope], UNIT) }) as const),
    { by: "cron" },
  ];
}

/** Looks at one place; changes nothing. */
export async function inspect(host: Host, place: Place): Promise<State> {
  if (place.by === "cron") {
    const { found, text } = locateBlock((await readCrontab(host)) ?? "");
    return { place, found, enabled: null, active: null, ...startOf(commandOfLine(text)) };
  }
  const { found, text } = readUnit(place.file);
  const question = async (word: string) =>
    found === "absent" || !host.systemdRuns ? null : await askSystemctl(host, place.scope, word, UNIT);
  const [enabled, active] = [await question("is-enabled"), await question("is-active")];
  return { place, found, enabled, active, ...startOf(text === null ? null : commandOf(text)) };
}

function startOf(command: string[] | null): Pick<State, "starts" | "isStartable"> {
  const starts = command?.slice(0, 2) ?? null;
  return { starts, isStartable: starts !== null && starts.length === 2 && starts.every((file) => existsSync(file)) };
}

/** Takes the service out of a place. What was edited is kept, and its new place returned; what is not ours stays
 *  (GP_SERVICE). */
export async function remove(host: Host, { place, found }: State): Promise<{ keptAs: string | null }> {
  if (found === "foreign" || place.by === "cron") requireOurs({ place, found });
  if (place.by === "cron") {
    await writeCrontab(host, withBlock(await requireCrontab(host), ""));
    return { keptAs: null };
  }
  if (host.systemdRuns) await systemctl(host, place.scope, "disable", "--now", UNIT);
  let keptAs: string | null = null;
  if (found === "edited") {
    keptAs = `${place.file}.edited`;
    for (let n = 2; existsSync(keptAs); n++) keptAs = `${place.file}.edited-${n}`;
    renameSync(place.file, keptAs);
  } else rmSync(place.file, { force: true });
  if (host.systemdRuns) await systemctl(host, place.scope, "daemon-reload");
  return { keptAs };
}

function requireOursInCrontab(): never {
  throw new GatepostError("GP_SERVICE", "The block in the crontab was edited since Gatepost wrote it.", {
    hint: "Take its lines out by hand, from # gatepost service to # gatepost service end: crontab -e",
  });
}

/** The crontab. Throws GP_PROGRAM where there is no cron. */
export async function requireCrontab(host: Host): Promise<string> {
  const table = await readCrontab(host);
  if (table !== null) return table;
  throw new GatepostError("GP_PROGRAM", "The program crontab is missing, and systemd does not run here.", {
    hint: "Install cron, or keep this running in your own way: gatepost serve",
  });
}

function readUnit(file: string): { found: Found; text: string | null } {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return { found: "absent", text: null };
  if (!stat.isFile()) return { found: "foreign", text: null }; // masked, or a link to somebody's own
  const text = readFileSync(file, "utf8");
  return { found: judge(text), text };
}

function writeUnit(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  try {
    const descriptor = openSync(temporary, "wx", 0o644);
    try {
      writeSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
