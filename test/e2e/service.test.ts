/**
 * `gatepost service`: what it writes, and that it writes nothing else. systemd and cron do not run where tests do, so
 * small programs stand in for systemctl, which notes how it was called, and crontab, which keeps its table in a file.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { commandOfLine, cronBlock } from "../../src/home/service/crontab.ts";
import { type Host, thisHost } from "../../src/home/service/host.ts";
import { inspect, install, type Place, planInstall, remove, type Wanted } from "../../src/home/service/install.ts";
import { judge } from "../../src/home/service/sealed.ts";
import { commandOf, unitText } from "../../src/home/service/unit.ts";
import { fails, makeWorld, program } from "../helpers/cli.ts";

const world = makeWorld();
afterAll(() => world.remove());

const bin = world.at("bin");
const table = world.at("table");
const calls = world.at("calls");
fs.mkdirSync(bin);
fs.writeFileSync(
  join(bin, "systemctl"),
  `#!/bin/sh
echo "$*" >> '${calls}'
case "$*" in
  *is-enabled*) [ -e '${calls}.on' ] && echo enabled || { echo disabled; exit 1; } ;;
  *is-active*) [ -e '${calls}.on' ] && echo active || { echo inactive; exit 3; } ;;
  *enable\\ --now*) : > '${calls}.on' ;;
  *disable*) rm -f '${calls}.on' ;;
esac
[ ! -e '${calls}.fails' ] || { echo 'Failed to connect to bus' >&2; exit 1; }
`,
  { mode: 0o755 },
);
fs.writeFileSync(
  join(bin, "crontab"),
  `#!/bin/sh
case "$1" in
  -l) [ -e '${table}' ] || { echo 'no crontab for alice' >&2; exit 1; }; cat '${table}' ;;
  -) cat > '${table}.new' && mv '${table}.new' '${table}' ;;
  *) exit 2 ;;
esac
`,
  { mode: 0o755 },
);
const env = { PATH: `${bin}:${world.env["PATH"]}`, XDG_CONFIG_HOME: world.at("config") };

let number = 0;
let host: Host;
beforeEach(() => {
  for (const file of [table, calls, `${calls}.on`, `${calls}.fails`]) fs.rmSync(file, { force: true });
  const units = world.at(`units${++number}`);
  host = { ...thisHost({ ...world.env, ...env }), systemdRuns: true, units: { system: units, user: units } };
});

const called = (): string[] => (fs.existsSync(calls) ? fs.readFileSync(calls, "utf8").trimEnd().split("\n") : []);
const unit = (): Place & { file: string } => ({
  by: "systemd",
  scope: "user",
  file: join(host.units.user, "gatepost.service"),
});
const wanted: Wanted = { by: "systemd", scope: "user", names: [], strict: false, setuid: false };
const put = async (options: Partial<Wanted> = {}) =>
  await install(host, await planInstall(host, { ...wanted, ...options }));
const takeOut = async (place: Place) => await remove(host, await inspect(host, place));

const odd = `/srv/a b"c\\d$HOME%h'é/x`;

describe("the unit", () => {
  const text = (options: Partial<Parameters<typeof unitText>[0]> = {}) =>
    unitText({
      ...{ scope: "system", node: "/bin/node", program: "/p", names: [], env: {}, strict: false, setuid: false },
      ...options,
    });

  test("starts the program whatever is in its path and in those of homes", () => {
    const node = "/srv/a b$HOME%h/node";
    const unit = text({ node, program: odd, names: [odd] });
    const argument = `"/srv/a b\\"c\\\\d$$HOME%%h'é/x"`;
    expect(/^ExecStart=(.*)$/m.exec(unit)?.[1]).toBe(`"/srv/a b$HOME%%h/node" ${argument} "serve" "--" ${argument}`);
    expect(commandOf(unit)).toEqual([node, odd, "serve", "--", odd]);
    expect(() => text({ node: odd })).toThrow("systemd starts no program with a quote");
  });

  test("cannot name a path that would end its line", () => {
    expect(() => text({ names: ["/srv/a\nExecStartPre=/bin/evil"] })).toThrow("cannot be named in a unit");
  });

  test("gives hooks no more rights than they have unless sudo was asked for, and leaves them what they may need", () => {
    const set = (options: Parameters<typeof text>[0]) => text(options).match(/^\w+(?==)/gm) ?? [];
    for (const scope of ["system", "user"] as const) {
      expect(set({ scope })).toContain("NoNewPrivileges");
      expect(set({ scope, setuid: true })).not.toContain("NoNewPrivileges");
      for (const name of ["PrivateTmp", "ProtectHome", "PrivateUsers", "RestrictSUIDSGID", "PrivateDevices"])
        expect(set({ scope }), name).not.toContain(name);
    }
    expect(set({})).toContain("ProtectSystem");
    expect(set({ scope: "user", setuid: true })).not.toContain("LockPersonality"); // which would imply it
    for (const name of ["NoNewPrivileges", "PrivateTmp", "ProtectKernelTunables"])
      expect(set({ strict: true })).toContain(name);
    for (const strict of [false, true]) expect(set({ strict, scope: "user" })).not.toContain("ProtectSystem");
  });

  test.for(["system", "user"] as const)("of a %s is one that systemd reads without a word", (scope, { skip }) => {
    if (world.run(["sh", "-c", "command -v systemd-analyze"]).code !== 0) skip("needs systemd-analyze");
    const node = world.at("no de $x%h");
    fs.copyFileSync("/bin/true", node);
    for (const choice of [{}, { strict: true }, { setuid: true }]) {
      const file = world.at("gatepost.service");
      const env = { XDG_STATE_HOME: odd };
      fs.writeFileSync(file, text({ scope, node, program: odd, names: [odd], env, ...choice }));
      const runtime = { XDG_RUNTIME_DIR: world.dir };
      const verified = world.run(["systemd-analyze", "verify", `--${scope}`, file], { env: runtime });
      expect(verified).toEqual({ stdout: "", stderr: "", code: 0 });
    }
  });
});

describe("installing a unit", () => {
  test("writes it, has systemd read and start it, and a second time changes nothing", async () => {
    expect(await put()).toBe(true);
    const text = fs.readFileSync(unit().file, "utf8");
    expect(judge(text)).toBe("ours");
    expect(called()).toEqual(["--user daemon-reload", "--user enable --now gatepost.service"]);
    expect(await put()).toBe(false);
    expect(fs.readFileSync(unit().file, "utf8")).toBe(text);
    expect(called().slice(2)).toEqual(["--user is-enabled gatepost.service", "--user is-active gatepost.service"]);
    expect(fs.readdirSync(host.units.user)).toEqual(["gatepost.service"]);
  });

  test("starts what is in place but stopped, and replaces what an earlier call wrote", async () => {
    await put();
    fs.rmSync(`${calls}.on`);
    expect(await put()).toBe(true);
    fs.rmSync(calls);
    expect(await put({ strict: true })).toBe(true);
    expect(called()).toEqual([
      "--user daemon-reload",
      "--user enable --now gatepost.service",
      "--user try-restart gatepost.service",
    ]);
  });

  test("keeps the unit where systemd fails, with systemd's words, and goes on at the next call", async () => {
    fs.writeFileSync(`${calls}.fails`, "");
    await expect(put()).rejects.toThrow("systemctl --user daemon-reload failed: Failed to connect to bus");
    fs.rmSync(`${calls}.fails`);
    fs.rmSync(`${calls}.on`, { force: true });
    expect(await put()).toBe(true);
  });

  test("leaves a unit alone that was edited, is masked, or is another's", async () => {
    await put();
    fs.appendFileSync(unit().file, "# mine\n");
    const edited = fs.readFileSync(unit().file, "utf8");
    await expect(put({ strict: true })).rejects.toThrow("was edited since Gatepost wrote it");
    expect(fs.readFileSync(unit().file, "utf8")).toBe(edited);
    fs.rmSync(unit().file);
    fs.symlinkSync("/dev/null", unit().file);
    await expect(put()).rejects.toThrow("was not written by Gatepost");
    await expect(takeOut(unit())).rejects.toThrow("was not written by Gatepost");
    expect(fs.readlinkSync(unit().file)).toBe("/dev/null");
  });
});

describe("taking a unit out", () => {
  test("stops it and leaves nothing", async () => {
    await put();
    fs.rmSync(calls);
    expect(await takeOut(unit())).toEqual({ keptAs: null });
    expect(called().slice(2)).toEqual(["--user disable --now gatepost.service", "--user daemon-reload"]);
    expect(fs.readdirSync(host.units.user)).toEqual([]);
    expect((await inspect(host, unit())).found).toBe("absent");
  });

  test("keeps each edited one beside its place", async () => {
    for (const [n, name] of ["gatepost.service.edited", "gatepost.service.edited-2"].entries()) {
      await put();
      fs.appendFileSync(unit().file, `# mine ${n}\n`);
      const edited = fs.readFileSync(unit().file, "utf8");
      expect(await takeOut(unit())).toEqual({ keptAs: join(host.units.user, name) });
      expect(fs.readFileSync(join(host.units.user, name), "utf8")).toBe(edited);
    }
    expect(fs.existsSync(unit().file)).toBe(false);
  });
});

test("status tells which program would start, and whether it is there", async () => {
  await put();
  const state = { found: "ours", enabled: "enabled", active: "active" };
  expect(await inspect(host, unit())).toMatchObject({
    ...state,
    starts: [process.execPath, program],
    isStartable: true,
  });
  host = { ...host, node: world.at("gone") };
  await put();
  expect(await inspect(host, unit())).toMatchObject({
    ...state,
    starts: [world.at("gone"), program],
    isStartable: false,
  });
});

test("--log-format json writes one object of printable ASCII on each line, errors and what hooks are called included", () => {
  const name = "r\u009bé\u2028.git";
  const path = world.bare(name);
  const clone = world.clone(path);
  expect(world.gatepost(["init", path]).code).toBe(0);
  const home = join(path, "gatepost");
  world.gatepost(["settings", "automatic-backoffice", "off", "-R", path]);
  expect(
    world.gatepost(["hook", "add", "-R", path, "--type", "after-receive", "--command", "echo %R; exit 3"]).code,
  ).toBe(0);
  world.commit(clone);
  world.git(["push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: clone });
  const passed = world.gatepost(["backoffice", "--trace", "--log-format", "json", path, world.at("nowhere")]);
  expect(passed.code).toBe(3);
  expect(passed.stderr).toMatch(/^(?:\{[\x20-\x7e]*\}\n)+$/);
  const lines = passed.stderr
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toContainEqual({
    time: expect.any(String),
    level: "error",
    message: expect.stringContaining("nowhere"),
  });
  expect(lines).toContainEqual(
    expect.objectContaining({ level: "trace", home, message: expect.stringContaining(name) }),
  );
  expect(lines).toContainEqual(
    expect.objectContaining({ level: "info", home, message: expect.stringContaining("exit 3") }),
  );
});

describe("the crontab", () => {
  const others = Buffer.from(
    "# mine\nMAILTO=x\n\n 5 4 * * *  cmd\\%a \xff\xfe\t\n# gatepost service of old\n",
    "latin1",
  );
  const gatepost = (...args: string[]) => world.gatepost(["service", ...args], { env });

  test("gets a block at its end and loses it again, and others' lines stay byte for byte", () => {
    fs.writeFileSync(table, others);
    world.gatepost(["init", world.bare()]);
    const installed = gatepost("install", "--cron", "--yes");
    expect(installed.code, installed.stderr).toBe(0);
    const first = fs.readFileSync(table);
    expect(first.subarray(0, others.length).equals(others)).toBe(true);
    expect(first.subarray(others.length).toString()).toMatch(
      /^# gatepost service [0-9a-f]{16} .*\n\*\/5 \* \* \* \* cd \/ && .*exec \S+ \S+ backoffice --nodelay\n# gatepost service end\n$/,
    );
    expect(gatepost("install", "--cron", "--yes").stderr).toContain("is there already; nothing was changed");
    expect(fs.readFileSync(table).equals(first)).toBe(true);
    expect(gatepost("status").stdout).toContain(`starts ${process.execPath} ${program}\n`);
    fs.appendFileSync(table, "# below\n");
    expect(gatepost("uninstall").code).toBe(0);
    expect(fs.readFileSync(table).equals(Buffer.concat([others, Buffer.from("# below\n")]))).toBe(true);
    expect(gatepost("uninstall").stdout).toBe("There is no service; nothing was changed.\n");
  });

  test("is not touched where the block was edited", () => {
    gatepost("install", "--cron", "--yes");
    fs.writeFileSync(table, fs.readFileSync(table, "utf8").replace("*/5", "*/2"));
    const edited = fs.readFileSync(table, "utf8");
    for (const call of [["install", "--cron", "--yes"], ["uninstall"]]) {
      expect(gatepost(...call)).toEqual(
        fails(
          1,
          "gatepost: The block in the crontab was edited since Gatepost wrote it.\n" +
            "Take its lines out by hand, from # gatepost service to # gatepost service end: crontab -e\n",
        ),
      );
      expect(fs.readFileSync(table, "utf8")).toBe(edited);
    }
    expect(gatepost("status").stdout).toContain("edited since");
  });

  test("without --yes and without a terminal is only shown what would be written", () => {
    fs.writeFileSync(table, others);
    const shown = gatepost("install", "--cron");
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining("*/5 * * * * cd / &&") });
    expect(shown.stderr).toBe("There is no terminal to ask on. To write it: --yes\nNothing was written.\n");
    const printed = gatepost("install", "--cron", "--print");
    expect(JSON.parse(gatepost("install", "--cron", "--dry-run", "--json").stdout)).toMatchObject({
      by: "cron",
      changed: false,
      text: printed.stdout,
    });
    expect(fs.readFileSync(table).equals(others)).toBe(true);
  });

  test("is there or not: --print shows the same", () => {
    const before = gatepost("install", "--cron", "--print");
    expect(gatepost("install", "--cron", "--yes").code).toBe(0);
    expect(gatepost("install", "--cron", "--print")).toEqual(before);
    expect(before.stdout).toContain("*/5 * * * * cd / &&");
  });

  test("without the program crontab is an error, but --print shows a unit for want of both, or the block asked for", () => {
    const bare = { ...env, PATH: world.at("nothing") };
    const call = (...args: string[]) => world.gatepost(["service", "install", ...args], { env: bare });
    const missing = "gatepost: The program crontab is missing, and systemd does not run here.\n";
    expect(call("--cron", "--yes")).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining(missing) });
    const shown = call("--print");
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(judge(shown.stdout)).toBe("ours");
    expect(shown.stdout).toContain("ExecStart=");
    expect(call("--cron", "--print").stdout).toContain("*/5 * * * * cd / &&");
  });

  test("names no place that could not be served", () => {
    for (const place of [world.at("nowhere"), world.dir])
      for (const more of [["--yes"], ["--print"], ["--yes", "--systemd"]])
        expect(gatepost("install", place, ...more).stderr, more.join()).toBe(world.gatepost(["serve", place]).stderr);
    expect(fs.existsSync(table)).toBe(false);
  });

  test("hands every path to the shell as it is", () => {
    const note = world.at(`no'te $(x) %d "é`);
    fs.writeFileSync(note, `#!/bin/sh\nprintf '%s\\n' "$@" > '${world.at("got")}'\n`, { mode: 0o755 });
    const options = { node: note, program: `/srv/a b$c%d'e`, names: ["/srv/%", "/srv/`x`"], env: { A: "b c" } };
    const block = cronBlock(options);
    const line = Buffer.from(block, "latin1").toString("utf8").split("\n")[1] ?? "";
    // What cron does to a command: an escaped percent sign is one, any other is a newline.
    const command = line
      .replace(/^(\S+ ){5}/, "")
      .replaceAll("\\%", "\0")
      .replaceAll("%", "\n")
      .replaceAll("\0", "%");
    expect(world.run(["/bin/sh", "-c", command]).stderr).toBe("");
    const words = [options.program, "backoffice", "--nodelay", "--", ...options.names];
    expect(fs.readFileSync(world.at("got"), "utf8")).toBe(`${words.join("\n")}\n`);
    expect(commandOfLine(block)).toEqual([note, ...words]);
  });
});
