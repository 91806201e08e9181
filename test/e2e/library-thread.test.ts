/** The thread of a home that a program opened: how it begins, ends, and dies; and what its errors are to the program. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ERRORS, GatepostError, type Home, openHome, registerRepository } from "../../src/index.ts";
import { makeWorld, until, type World } from "../helpers/cli.ts";

let world: World;
let home: Home;
const opened: Home[] = [];

beforeAll(() => {
  world = makeWorld();
});
afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()));
  world.remove();
});

async function open(): Promise<Home> {
  home = await openHome(world.at(`home${opened.length}`), { create: true, env: world.env });
  opened.push(home);
  await home.set("automatic-backoffice", "off");
  return home;
}

/** A program of its own that uses the built library, to its end. */
function program(body: string): { stdout: string; stderr: string; code: number | null } {
  const index = new URL("../../dist/index.js", import.meta.url);
  const script = `import { openHome } from ${JSON.stringify(index.href)};\n${body}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: world.dir,
    env: world.env,
    encoding: "utf8",
    timeout: 60_000,
  });
  return { stdout, stderr, code: status };
}

describe("the thread", () => {
  it("does not keep a program from ending that forgets to close its home", async () => {
    await open();
    const ended = program(`const home = await openHome(${JSON.stringify(home.dir)}); console.log(home.dir);`);
    expect(ended).toEqual({ stdout: `${home.dir}\n`, stderr: "", code: 0 });
  });

  it("keeps a program going while a call is under way", async () => {
    await open();
    const body = `
      const home = await openHome(${JSON.stringify(home.dir)});
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 200).unref();
      home.serve({ signal: stop.signal }).then(() => console.log("served"));`;
    expect(program(body)).toEqual({ stdout: "served\n", stderr: "", code: 0 });
  });

  it("that dies fails what is under way with a code, aborts the functions at work, and the next call starts another", async () => {
    const threads: Worker[] = [];
    process.once("worker", (thread) => threads.push(thread));
    await open();
    const clone = world.clone((await home.registerRepository(world.bare("dies.git"))).repository.path, "dies");
    let aborted: unknown = null;
    let calls = 0;
    await home.hook({
      name: "index",
      type: "after-receive",
      run: (_, { signal }) => {
        calls += 1;
        if (calls > 1) return;
        return new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            aborted = signal.reason;
            resolve(null);
          });
        });
      },
    });
    world.commit(clone, { a: "a" });
    world.git(["push", "-q", "origin", "HEAD:main"], { cwd: clone });
    const served = home.serve({ signal: new AbortController().signal }).then(
      () => null,
      (error: unknown) => error,
    );
    await until("the function is called", () => calls === 1);
    await threads[0]?.terminate();
    expect(await served).toMatchObject({ code: "GP_THREAD", exitCode: 70 });
    expect(aborted).toMatchObject({ code: "GP_THREAD" });
    expect(await home.hooks()).toMatchObject([{ name: "index" }]);
    await home.close();
    await expect(home.hooks()).rejects.toMatchObject({ code: "GP_CLOSED", exitCode: 2 });
  });

  it("ends what is under way when the home is closed, and a second close is none", async () => {
    await open();
    const served = home.serve({ signal: new AbortController().signal });
    await turn();
    await Promise.all([home.close(), home.close()]);
    await served;
    await expect(home.runs()).rejects.toMatchObject({ code: "GP_CLOSED" });
  });

  it("that is not beside the library, as in a bundle, is told of with what to do", async () => {
    fs.cpSync(new URL("../../dist", import.meta.url), world.at("bundle"), { recursive: true });
    const { openHome: bundled } = await import(world.at("bundle", "index.js"));
    await expect(bundled(world.dir)).rejects.toMatchObject({
      code: "GP_THREAD",
      hint: expect.stringContaining("must not be bundled"),
    });
  });

  it("gives each home an environment of its own", async () => {
    const other = makeWorld();
    await openHome(other.at("home"), { create: true, env: other.env }).then((one) => one.close());
    expect(fs.readFileSync(`${other.env["XDG_STATE_HOME"]}/gatepost/homes`, "utf8")).toContain(other.at("home"));
    other.remove();
  });
});

describe("what the library rejects with", () => {
  const wrong = (value: unknown): never => value as never;
  const all = { scope: "all" } as const;
  const signal = new AbortController().signal;

  beforeAll(open);

  it.each<[what: string, code: string, call: () => Promise<unknown>]>([
    ["no folder", "GP_USAGE", () => openHome(wrong(undefined))],
    ["an empty path", "GP_USAGE", () => openHome("")],
    ["a folder that is no home", "GP_NO_REPOSITORY", () => openHome("/proc/self")],
    ["a repository that is none", "GP_NO_REPOSITORY", () => registerRepository("/nowhere")],
    ["a path that is no text", "GP_USAGE", () => registerRepository(wrong({}))],
    ["a hook that is none", "GP_USAGE", () => home.addHook(wrong(null))],
    ["a hook without type", "GP_USAGE", () => home.addHook(wrong({ command: "true", scope: all }))],
    ["a hook without scope", "GP_USAGE", () => home.addHook(wrong({ command: "true", type: "after-receive" }))],
    ["a misspelt option", "GP_USAGE", () => home.addHook(wrong({ ...command(), retrys: 3 }))],
    ["a text for a number", "GP_USAGE", () => home.addHook(wrong({ ...command(), retries: "3" }))],
    ["an unknown type", "GP_TYPE", () => home.addHook({ ...command(), type: "aftr-receive" })],
    ["a function in a spec", "GP_USAGE", () => home.addHook(wrong({ ...command(), dir: () => {} }))],
    ["a hook that is not there", "GP_NO_HOOK", () => home.editHook("nobody", {})],
    ["an edit that is none", "GP_USAGE", () => home.addHook(command()).then(({ id }) => home.editHook(id, wrong(3)))],
    ["nothing to delete", "GP_USAGE", () => home.deleteHook(wrong(undefined))],
    ["a function hook without function", "GP_USAGE", () => home.hook(wrong({ name: "x", type: "after-receive" }))],
    ["nothing for a function hook", "GP_USAGE", () => home.hook(wrong(undefined))],
    ["a gate that is a function", "GP_TYPE", () => home.hook({ name: "x", type: wrong("before-ref"), run: () => {} })],
    ["a name that is none", "GP_NAME", () => home.hook({ name: "a b", type: "after-receive", run: () => {} })],
    ["a misspelt filter", "GP_USAGE", () => home.runs(wrong({ stats: [] }))],
    ["a state there is not", "GP_USAGE", () => home.runs({ states: wrong(["dead"]) })],
    ["a repository there is not", "GP_NO_REPOSITORY", () => home.hooks("nobody")],
    ["a run that is none", "GP_NO_RUN", () => home.run(wrong("x"))],
    ["a run there is not", "GP_NO_RUN", () => home.replay(4711)],
    ["a number of jobs that is none", "GP_USAGE", () => home.pass({ jobs: -1 })],
    ["a signal that is none", "GP_USAGE", () => home.pass({ signal: wrong({}) })],
    ["serving without a signal", "GP_USAGE", () => home.serve(wrong({}))],
    ["serving with a log that is none", "GP_USAGE", () => home.serve({ signal, log: wrong("yes") })],
    ["a setting there is not", "GP_USAGE", () => home.set("colour", "blue")],
  ])("for %s is a GatepostError of code %s", async (_, code, call) => {
    const error = await call().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(GatepostError);
    expect(error).toMatchObject({ code, exitCode: ERRORS[code as keyof typeof ERRORS][0], hint: expect.any(String) });
  });

  const command = () => ({ type: "after-receive", command: "true", scope: all });

  it("keeps its cause across threads", async () => {
    fs.rmSync(`${home.dir}/hooks.json`, { force: true });
    fs.mkdirSync(`${home.dir}/hooks.json/full`, { recursive: true }); // it cannot be replaced
    const error = await home.addHook(command()).then(
      () => null,
      (thrown: unknown) => thrown as GatepostError,
    );
    expect(error).toBeInstanceOf(GatepostError);
    expect(error?.cause).toMatchObject({ code: expect.stringMatching(/^E/), path: expect.stringContaining(home.dir) });
  });
});
