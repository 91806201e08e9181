/**
 * Fossil repositories in a world of their own: made, cloned, committed to and pushed by the real fossil, also over a
 * server on the loopback. What a test changes in a repository behind fossil's back goes through `fossil sql`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { displayText } from "../../src/core/bytes.ts";
import { receiptsBetween } from "../../src/store/receipt.ts";
import { type CallOptions, makeWorld, type Outcome, until, type World } from "./cli.ts";
import { enter, type Watched, watch } from "./served.ts";

/** A check-out and the repository that it belongs to. */
export type Checkout = { readonly file: string; readonly root: string };

export type Server = {
  readonly port: number;
  /** Where its repository is, with a user who may do everything. */
  readonly url: string;
  /** The same for everybody. */
  readonly anyone: string;
  stop(): Promise<void>;
};

export type FossilWorld = World & {
  /** Runs fossil, which must end well, and returns what it printed. */
  fossil(args: readonly string[], options?: CallOptions): string;
  /** Runs fossil to whatever end. */
  tryFossil(args: readonly string[], options?: CallOptions): Outcome;
  /** Makes a repository and returns its path; the password of its user alice is `pw`. */
  repository(name?: string): string;
  clone(from: string, name: string): string;
  /** Checks a repository out. */
  open(file: string, name?: string): Checkout;
  /** A check-out of a clone that has autosync off. */
  apart(from: string, name?: string): Checkout;
  /** Writes files, commits and returns the hash of the check-in. */
  checkIn(at: Checkout, files?: Readonly<Record<string, string>>, args?: readonly string[]): string;
  /** Stores a wiki page. */
  wiki(file: string, page?: string): void;
  /** Starts fossil and lets it run on; settles with its exit code. */
  startFossil(args: readonly string[], options?: CallOptions): Promise<number | null>;
  /** Pushes all of it; by path, or by URL. */
  push(from: Pick<Checkout, "file">, to: string): void;
  /** Runs SQL in the repository by `fossil sql`; rows as lines. */
  sql(file: string, text: string): string;
  /** Makes receipts older by so many milliseconds; without a number all. */
  age(file: string, ms: number, rcvid?: number): void;
  /** The lines of Fossil's own hook list, base and newest as in `fossil hook test`. */
  lines(file: string, base: number, newest?: number): string;
  /** Number of the newest receipt. */
  newest(file: string): number;
  server(file: string): Promise<Server>;
};

const running: ChildProcess[] = [];
let made = 0;

export function makeFossilWorld(name = "gatepost-fossil-"): FossilWorld {
  const base = makeWorld(name);
  const env = { ...base.env, FOSSIL_HOME: base.at("user"), LC_ALL: "C.UTF-8" };
  const run: World["run"] = (argv, options = {}) => base.run(argv, { ...options, env: { ...env, ...options.env } });
  const tryFossil: FossilWorld["tryFossil"] = (args, options) => run(["fossil", ...args], options);

  function fossil(args: readonly string[], options: CallOptions = {}): string {
    const { stdout, stderr, code } = tryFossil(args, options);
    if (code !== 0) throw new Error(`fossil ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  function open(file: string, name = `w${++made}`): Checkout {
    const root = base.at(name);
    fs.mkdirSync(root, { recursive: true });
    fossil(["open", file, "--nosync"], { cwd: root });
    return { file, root };
  }

  function clone(from: string, name: string): string {
    fossil(["clone", from, base.at(name)]);
    fossil(["settings", "autosync", "off", "-R", base.at(name)]);
    return base.at(name);
  }

  function sql(file: string, text: string): string {
    return fossil(["sql", "-R", file], { input: `.mode list\n${text};\n` }).trimEnd();
  }

  return {
    ...base,
    env,
    run,
    fossil,
    tryFossil,
    open,
    clone,
    sql,
    repository(name = `r${++made}.fossil`) {
      fs.mkdirSync(join(base.at(name), ".."), { recursive: true });
      fossil(["init", base.at(name)]);
      fossil(["user", "password", "alice", "pw", "-R", base.at(name)]);
      return base.at(name);
    },
    apart: (from, name = `c${++made}`) => open(clone(from, `${name}.fossil`), name),
    checkIn({ root }, files = { [`f${++made}`]: `${made}\n` }, args = []) {
      for (const [file, content] of Object.entries(files)) {
        fs.mkdirSync(join(root, file, ".."), { recursive: true });
        fs.writeFileSync(join(root, file), content);
      }
      fossil(["addremove", "--dotfiles"], { cwd: root });
      // --hash: else a change within the second that leaves the size is overlooked
      const printed = fossil(["commit", "-m", "m", "--no-warnings", "--hash", "--allow-empty", ...args], { cwd: root });
      return /^New_Version: ([0-9a-f]+)$/m.exec(printed)?.[1] ?? "";
    },
    wiki: (file, page = `Page ${++made}`) =>
      void fossil(["wiki", "create", page, "-R", file], { input: `text of ${page}\n` }),
    async startFossil(args, { cwd = base.dir } = {}) {
      const child = spawn("fossil", args, { cwd, env, stdio: "ignore" });
      const [code] = await once(child, "exit");
      return code;
    },
    push: ({ file }, to) => void fossil(["push", to, "--once", "-R", file]),
    age(file, ms, rcvid) {
      const which = rcvid === undefined ? "" : ` WHERE rcvid=${rcvid}`;
      sql(file, `UPDATE rcvfrom SET mtime = mtime - ${ms} / 86400000.0${which}`);
    },
    lines(file, base, newest) {
      const upto = newest === undefined ? [] : ["--new-rcvid", `${newest}`];
      const copy = `${file}-oracle`; // its hook list is its own
      fs.copyFileSync(file, copy);
      fossil(["hook", "add", "--type", "after-receive", "--command", "x", "-R", copy]);
      const printed = fossil(["hook", "test", "-n", "--base-rcvid", `${base}`, ...upto, "0", "-R", copy]);
      fs.rmSync(copy);
      return printed.slice(printed.indexOf("\n") + 1);
    },
    newest: (file) => Number(sql(file, "SELECT max(rcvid) FROM rcvfrom")),
    async server(file) {
      // Else a process of its backoffice would sleep on for a minute after the test.
      fossil(["settings", "backoffice-nodelay", "on", "-R", file]);
      const port = await freePort();
      const child = spawn("fossil", ["server", "--nojail", "--localhost", "--port", `${port}`, file], {
        cwd: base.dir,
        env,
        stdio: "ignore",
      });
      running.push(child);
      const ended = once(child, "exit");
      await answers(port);
      const rest = `127.0.0.1:${port}/`;
      return {
        port,
        url: `http://alice:pw@${rest}`,
        anyone: `http://${rest}`,
        async stop() {
          child.kill("SIGTERM");
          await ended;
        },
      };
    },
    remove() {
      for (const child of running.splice(0)) child.kill("SIGTERM");
      base.remove();
    },
  };
}

/** A port on loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function answers(port: number): Promise<void> {
  let there = false;
  await until("the server answers", () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      there = true;
      socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    return there;
  });
}

/** Makes this process, too, live in the world. */
export function enterFossil(world: FossilWorld): void {
  enter(world);
  for (const name of ["FOSSIL_HOME", "USER"]) process.env[name] = world.env[name];
}

/** Registers a repository; made, if none is named. Call after `enterFossil`. */
export async function watchFossil(
  world: FossilWorld,
  { file = world.repository(), home = null }: { file?: string; home?: string | null } = {},
): Promise<Watched> {
  return await watch(world, file, home);
}

/** The receipts in short, by Fossil's numbers: "NUMBER USER SOURCE ADDRESS". */
export const received = ({ home, row }: Watched): string[] =>
  receiptsBetween(home.db, row.id, 0, Number.MAX_SAFE_INTEGER).map(({ native, user, source, address }) =>
    [native, user === null ? "-" : displayText(user), source, address ?? "-"].join(" "),
  );

/** The hashes of a list. */
export const hashes = (list: string): string[] => list.split("\n").flatMap((line) => line.split(" ", 1)[0] || []);

/** The check-ins of a list. */
export const checkIns = (list: string): string[] =>
  list.split("\n").flatMap((line) => /^(\w+) check-in/.exec(line)?.[1] ?? []);

/** Pushes a check-in without the content of its file, as a sender does that lost it; and a clone that has it all. */
export function incompletePush(
  world: FossilWorld,
  file = world.repository(),
): { file: string; c: Checkout; missing: string; checkIn: string } {
  const c = world.apart(file);
  const name = `lost${++made}`; // on a branch of its own, so that trunk can be checked out
  const checkIn = world.checkIn(c, { [name]: `${Math.random()}\n` }, ["--branch", name]);
  const missing = world.sql(
    c.file,
    "SELECT uuid FROM blob JOIN mlink ON fid = rid WHERE mid = (SELECT max(mid) FROM mlink)",
  );
  const less = `${c.file}-less`;
  fs.copyFileSync(c.file, less);
  world.sql(
    less,
    `INSERT INTO phantom SELECT rid FROM blob WHERE uuid = '${missing}';
     DELETE FROM unclustered WHERE rid IN phantom; DELETE FROM unsent WHERE rid IN phantom;
     UPDATE blob SET content = NULL, size = -1, rcvid = 0 WHERE rid IN phantom`,
  );
  world.tryFossil(["push", file, "--once", "-R", less]);
  return { file, c, missing, checkIn };
}

/** A list of some megabytes: files of the first check-in with long names, stored behind fossil's back. */
export function manyFiles(world: FossilWorld, file: string): void {
  world.sql(
    file,
    `INSERT INTO rcvfrom(rcvid, uid, mtime) SELECT max(rcvid) + 1, 1, julianday('now') FROM rcvfrom;
     CREATE TEMP TABLE n AS SELECT value AS n FROM generate_series(1, 15000);
     INSERT INTO blob(rid, rcvid, size, uuid, content)
       SELECT 1000 + n, (SELECT max(rcvid) FROM rcvfrom), 1, lower(hex(randomblob(32))), x'00' FROM n;
     INSERT INTO filename(fnid, name) SELECT 1000 + n, n || '-' || hex(zeroblob(100)) FROM n;
     INSERT INTO mlink(mid, fid, fnid) SELECT 1, 1000 + n, 1000 + n FROM n`,
  );
}

/** A way to a server on which connections are held or refused as long as `meets` says so. */
export async function gateTo(port: number, how: "hold" | "refuse", meets: () => boolean) {
  let goOn = (): void => {};
  let tell = (): void => {};
  const met = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const released = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const gate = createServer(async (from) => {
    from.on("error", () => {});
    if (meets()) {
      if (how === "refuse") return void from.destroy();
      tell();
      await released;
    }
    const to = connect(port, "127.0.0.1");
    to.on("error", () => from.destroy());
    from.pipe(to).pipe(from);
  }).listen(0, "127.0.0.1");
  await once(gate, "listening");
  const { port: own } = gate.address() as AddressInfo;
  return { url: `http://127.0.0.1:${own}/`, met, goOn: () => goOn(), close: () => void gate.close() };
}
