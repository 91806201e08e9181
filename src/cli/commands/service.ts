/** `gatepost service`: keeps a backoffice running by systemd, or calls one by cron. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { Host, Scope } from "../../home/service/host.ts";
import type { Place, State } from "../../home/service/install.ts";
import { plain, plainLines, print, printJson, say } from "../output.ts";

type Options = {
  system?: boolean;
  user?: boolean;
  systemd?: boolean;
  cron?: boolean;
  strict?: boolean;
  setuid?: boolean;
  yes?: boolean;
  print?: boolean;
  json?: boolean;
};

const scopeOptions = (command: Command): Command =>
  command
    .addOption(new Option("--system", "a unit of the system, also where the caller is not root").conflicts("user"))
    .option("--user", "a unit of this user, also where that is root")
    .option("--json", "one object of JSON");

export function registerService(program: Command): void {
  const service = program
    .command("service")
    .description("keep a backoffice running, by systemd or else by cron")
    .addHelpText("after", "\nExample:\n  gatepost service install");
  scopeOptions(
    service
      .command("install")
      .description("write a unit that keeps gatepost serve running, or a crontab line; shows it and asks first")
      .argument("[HOME...]", "homes or repositories to serve (default: whatever is registered)"),
  )
    .option("--systemd", "a unit, even where systemd does not run now")
    .addOption(new Option("--cron", "a crontab line, even where systemd runs").conflicts(["systemd", "system", "user"]))
    .addOption(new Option("--setuid", "let hooks call sudo, and sendmail where that is setuid").conflicts("strict"))
    .option("--strict", "forbid hooks all that a unit can: no containers, a /tmp of their own")
    .option("-y, --yes", "do not ask")
    .addOption(new Option("--print", "only show what would be written").conflicts("yes"))
    .addOption(new Option("--dry-run", "the same").implies({ print: true }))
    .addHelpText(
      "after",
      `
Examples:
  gatepost service install                      shows the unit, asks, writes it, starts it
  gatepost service install --print > x.service  only the text
  sudo gatepost service install --yes           for the whole machine: a worker for each user who has homes`,
    )
    .action(installService);
  scopeOptions(service.command("status").description("what there is of the service, and whether it runs"))
    .addHelpText("after", "\nExample:\n  gatepost service status")
    .action(statusOfService);
  scopeOptions(
    service.command("uninstall").description("stop it, and take out what install wrote; what was edited is kept"),
  )
    .addHelpText("after", "\nExample:\n  gatepost service uninstall")
    .action(uninstallService);
}

const scopeOf = (given: Options, { uid }: Host): Scope =>
  given.system === true || (uid === 0 && given.user !== true) ? "system" : "user";

async function installService(paths: string[], given: Options): Promise<void> {
  const { readCrontab, thisHost } = await import("../../home/service/host.ts");
  const { callsOf, install, planInstall, requireCrontab, requireOurs } = await import("../../home/service/install.ts");
  const host = thisHost();
  const scope = scopeOf(given, host);
  const asked = given.systemd === true || given.system === true || given.user === true;
  let by: Place["by"] = given.cron === true || (!asked && !host.systemdRuns) ? "cron" : "systemd";
  // Where neither systemd nor cron is, the text of a unit is of more use to whoever only wants to see.
  if (by === "cron" && given.print === true && given.cron !== true && (await readCrontab(host)) === null)
    by = "systemd";
  const names = paths.map((path) => resolve(path));
  await requireHomes(names, host);
  const plan = await planInstall(host, {
    by,
    scope,
    names,
    strict: given.strict === true,
    setuid: given.setuid === true,
  });
  const { place, text, isThere } = plan;
  const calls = callsOf(plan);
  const shown = { ...placeJson(place), found: plan.found, text, calls };
  const done = (changed: boolean, what: string): void => {
    if (given.json === true) printJson({ ...shown, changed });
    else say(what);
  };
  if (given.print === true) {
    if (given.json === true) return printJson({ ...shown, changed: false });
    return print(plainLines(text.trimEnd()));
  }
  if (isThere && calls.length === 0) return done(false, `${titleOf(place)} is there already; nothing was changed.`);
  if (by === "cron") await requireCrontab(host);
  requireOurs(plan);
  if (given.json !== true) {
    if (!isThere)
      print(`${titleOf(place)}, ${plan.found === "ours" ? "in place of what stands there" : "a new one"}:\n`);
    if (!isThere) print(plainLines(text.trimEnd().replace(/^(?=.)/gm, "  ")));
    for (const call of calls) print(`${isThere ? "" : "\n"}Then: ${call}`);
  }
  if (given.yes !== true && !(await agreed())) return done(false, "Nothing was written.");
  await install(host, plan);
  done(true, `Done: ${place.by === "cron" ? "cron makes a pass every 5 minutes." : whatRuns(host, scope)}`);
}

function whatRuns({ systemdRuns, user }: Host, scope: Scope): string {
  if (!systemdRuns) return "written. systemd does not run here; where it does: systemctl enable --now gatepost";
  if (scope === "system") return "gatepost serve runs, and starts with the machine.";
  return plain(`gatepost serve runs while you are logged in. To keep it running: loginctl enable-linger ${user}`);
}

/** Asks on the terminal; without one nobody can agree. */
async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    say("There is no terminal to ask on. To write it: --yes");
    return false;
  }
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question("Write this? [y/N] ")).trim());
  } catch {
    process.stderr.write("\n"); // Ctrl-C, Ctrl-D: what follows is no answer to the question
    return false;
  } finally {
    terminal.close();
  }
}

/** Throws what serving those would throw. What is in others' folders root does not ask. */
async function requireHomes(names: readonly string[], { uid }: Host): Promise<void> {
  const { homesFor } = await import("../../home/serve.ts");
  const { ownerOf } = await import("../../home/supervise.ts");
  if (names.length === 0 && uid !== 0) homesFor([], undefined, "/");
  for (const name of names) if (uid !== 0 || (ownerOf(name) ?? 0) === 0) homesFor([name], undefined, "/");
}

async function states(given: Options): Promise<{ host: Host; found: State[] }> {
  const { thisHost } = await import("../../home/service/host.ts");
  const { inspect, placesOf } = await import("../../home/service/install.ts");
  const host = thisHost();
  const found: State[] = [];
  for (const place of placesOf(host, [scopeOf(given, host)])) found.push(await inspect(host, place));
  return { host, found: found.filter((state) => state.found !== "absent") };
}

async function statusOfService(given: Options): Promise<void> {
  const { found } = await states(given);
  if (given.json === true) return printJson(found.map(({ place, ...state }) => ({ ...placeJson(place), ...state })));
  if (found.length === 0) print("There is no service. To make one: gatepost service install");
  for (const { place, found: whose, enabled, active, starts, isStartable } of found) {
    const words = { ours: "as it was written", edited: "edited since", foreign: "not written by Gatepost" } as const;
    print(`${titleOf(place)}: ${whose === "absent" ? "" : words[whose]}`);
    if (place.by === "systemd")
      print(`  ${active === null ? "systemd cannot be asked" : `${active}, ${enabled ?? "not enabled"}`}`);
    if (starts !== null) print(`  starts ${plain(starts.join(" "))}${isStartable ? "" : ", WHICH IS NOT THERE"}`);
    if (starts !== null && !isStartable) say("To have it start this program: gatepost service install");
  }
}

async function uninstallService(given: Options): Promise<void> {
  const { host, found } = await states(given);
  const { remove } = await import("../../home/service/install.ts");
  const removed: object[] = [];
  for (const state of found) {
    const { keptAs } = await remove(host, state);
    removed.push({ ...placeJson(state.place), keptAs });
    if (given.json === true) continue;
    print(
      `${titleOf(state.place)}: taken out${keptAs === null ? "" : plain(`; it was edited, and is kept as ${keptAs}`)}`,
    );
  }
  if (given.json === true) printJson({ removed });
  else if (found.length === 0) print("There is no service; nothing was changed.");
}

const titleOf = (place: Place): string =>
  place.by === "cron" ? "The block in your crontab" : plain(`The unit ${place.file}`);

/** A place, as `--json` shows it. */
const placeJson = (place: Place): object => (place.by === "cron" ? { by: "cron" } : place);
