/** The first seconds: the demonstration, a Node that is too old, a module that was not built, a package put together. */
import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeWorld, until, type World } from "../helpers/cli.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.remove());

describe("npm start", () => {
  it("shows on a real repository what each hook received", () => {
    const { stdout, stderr, code } = world.gatepost(["demo"], { env: { TMPDIR: world.dir } });
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(stdout.match(/ check-in to main by Ada on /g)).toHaveLength(3);
    expect(stdout.match(/ file (README|src\.txt)$/gm)).toHaveLength(3);
    expect(stdout.match(/ refs\/heads\/main$/gm)).toHaveLength(3);
    expect(stdout).toContain("3 receipts: done in");
    expect(stdout).toContain("Where to look next");
  });

  it("with a repository registers and serves it until it is told to stop", async () => {
    const repository = world.bare();
    const child = world.start(["demo", repository]);
    let said = "";
    child.stderr?.on("data", (chunk) => {
      said += chunk;
    });
    await until("it serves", () => said.includes("serving"));
    expect(fs.existsSync(join(repository, "hooks", "post-receive"))).toBe(true);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(fs.existsSync(join(repository, "gatepost", "daemon.pid"))).toBe(false);
  });
});

describe("on a machine that cannot run it", () => {
  it("a Node that is too old is told in one sentence", () => {
    const fake = world.at("old-node.cjs");
    fs.writeFileSync(
      fake,
      'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.19.0" } });',
    );
    const { stderr, code } = world.run([
      process.execPath,
      "--require",
      fake,
      join(root, "bin", "gatepost"),
      "hook",
      "list",
    ]);
    expect(code).toBe(70);
    expect(stderr).toMatch(/^gatepost: Node 18\.19\.0 is too old; Gatepost needs Node 20\.19 or newer\.\n.*\n$/);
  });

  it("a native module that was not built is named with the remedy", () => {
    const install = world.at("install");
    fs.mkdirSync(join(install, "node_modules"), { recursive: true });
    for (const name of ["bin", "dist", "package.json", "schema.sql", "src"])
      fs.symlinkSync(join(root, name), join(install, name));
    fs.rmSync(join(install, "dist"));
    fs.cpSync(join(root, "dist"), join(install, "dist"), { recursive: true });
    fs.rmSync(join(install, "bin"));
    fs.cpSync(join(root, "bin"), join(install, "bin"), { recursive: true });
    for (const name of fs.readdirSync(join(root, "node_modules")))
      if (name !== "better-sqlite3")
        fs.symlinkSync(join(root, "node_modules", name), join(install, "node_modules", name));
    fs.cpSync(join(root, "node_modules", "better-sqlite3"), join(install, "node_modules", "better-sqlite3"), {
      recursive: true,
      filter: (file) => !file.endsWith(".node"),
    });
    const repository = world.bare();
    const { stderr, code } = world.run([process.execPath, join(install, "bin", "gatepost"), "init", repository]);
    expect(code).toBe(70);
    expect(stderr).toMatch(
      /^gatepost: The native SQLite module is missing, or was built for another version of Node\.\n/,
    );
    expect(stderr).toContain("npm rebuild better-sqlite3");
  });
});

describe("the package", () => {
  it("has everything that a global installation needs, and only that", () => {
    const { stdout } = world.run(["npm", "pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root });
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string; mode: number }[] }];
    const paths = files.map(({ path }) => path);
    for (const path of [
      "bin/gatepost",
      "bin/package.json",
      "schema.sql",
      "src/shim/runtime/receive.sh",
      "dist/cli/main.js",
      "dist/index.d.ts",
      "dist/testing.js",
      "dist/home/thread.js",
      "hooks.schema.json",
      "docs/faults.md", // messages name pages
      "examples/forge/main.mjs",
    ])
      expect(paths).toContain(path);
    expect(paths.filter((path) => /^(test|bench|docs\/decisions|\.ci)\//.test(path))).toEqual([]);
    expect(files.find(({ path }) => path === "bin/gatepost")?.mode).toBe(0o755);
  });
});
