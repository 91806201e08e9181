/**
 * `"prepare": "gatepost init"` in package.json, with the real package managers: whoever clones and installs has the team's
 * hooks. The package gatepost is a folder whose bin leads to the built program, so that nothing is fetched or compiled.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
// @ts-expect-error: benchmarks are plain JavaScript
import { packageManagers as found } from "../../bench/lib/package-managers.mjs";
import { makeWorld, type Outcome, program, type World } from "../helpers/cli.ts";

const managers = found() as { pnpm: string; yarn: string; berry: string } | null;

let world: World;
let origin: string;

beforeAll(() => {
  world = makeWorld();
  const shim = world.at("gatepost-package");
  fs.mkdirSync(join(shim, "bin"), { recursive: true });
  fs.writeFileSync(
    join(shim, "package.json"),
    '{"name": "gatepost", "version": "1.0.0", "bin": {"gatepost": "bin/gatepost"}}\n',
  );
  // Yarn 4 starts it with node, whatever its first line says.
  const script = `#!/usr/bin/env node
const { status } = require("node:child_process").spawnSync(
  process.execPath, [${JSON.stringify(program)}, ...process.argv.slice(2)], { stdio: "inherit" });
process.exit(status);
`;
  fs.writeFileSync(join(shim, "bin", "gatepost"), script, { mode: 0o755 });
  origin = world.workTree("origin");
  const manifest = {
    name: "app",
    version: "1.0.0",
    private: true,
    scripts: { prepare: "gatepost init" },
    devDependencies: { gatepost: `file:${shim}` },
  };
  world.commit(origin, {
    "package.json": JSON.stringify(manifest),
    "gatepost.json": JSON.stringify({
      gatepost: 1,
      hooks: [{ name: "no-bad", type: "before-commit", command: "! test -e bad" }],
    }),
    ".gitignore": "node_modules\n.pnp*\n.yarn\n",
  });
});
afterAll(() => world.remove());

const NPM = ["npm", "install", "--no-audit", "--no-fund", "--offline", "--loglevel=error"];
const calls: [name: string, call: readonly string[] | null][] = [
  ["npm", NPM],
  ["pnpm", managers && [process.execPath, managers.pnpm, "install", "--offline", "--no-frozen-lockfile"]],
  ["yarn 1", managers && [process.execPath, managers.yarn, "install", "--offline", "--no-lockfile"]],
  ["yarn 4", managers && [process.execPath, managers.berry, "install", "--no-immutable"]],
];

const install = (call: readonly string[], cwd: string, env: Record<string, string> = {}): Outcome =>
  world.run(call, {
    cwd,
    env: { COREPACK_ENABLE_STRICT: "0", YARN_ENABLE_TELEMETRY: "0", YARN_NODE_LINKER: "node-modules", ...env },
  });
const refuses = (clone: string): boolean => {
  fs.writeFileSync(join(clone, "bad"), "");
  const { code, stderr } = world.run(["git", "commit", "-q", "--allow-empty", "-m", "m"], { cwd: clone });
  return code === 1 && stderr.includes("team hook no-bad refused this commit");
};

describe.each(calls)("%s install", (name, call) => {
  const clone = (what: string): string => {
    const path = world.clone(origin, `${what} of ${name}`);
    // Yarn 2 and newer run no prepare when they install.
    const manifest = fs.readFileSync(join(path, "package.json"), "utf8");
    if (name === "yarn 4") fs.writeFileSync(join(path, "package.json"), manifest.replace('"prepare"', '"postinstall"'));
    return path;
  };

  it.skipIf(call === null)("puts the team's hooks in place in a fresh clone, and nothing in CI", () => {
    const fresh = clone("fresh clone");
    const { code, stdout, stderr } = install(call ?? [], fresh);
    expect(code, stdout + stderr).toBe(0);
    world.gatepost(["settings", "automatic-backoffice", "off"], { cwd: fresh });
    expect(refuses(fresh)).toBe(true);
    const ci = clone("ci");
    const inCi = install(call ?? [], ci, { CI: "1", YARN_ENABLE_IMMUTABLE_INSTALLS: "0" });
    expect(inCi.code, inCi.stdout + inCi.stderr).toBe(0);
    expect(fs.existsSync(join(ci, ".git", "gatepost"))).toBe(false);
  });
});

it("npm install ends well where there is no repository, as in an image that is built", () => {
  const unpacked = world.clone(origin, "unpacked");
  fs.rmSync(join(unpacked, ".git"), { recursive: true });
  const { code, stdout, stderr } = install(NPM, unpacked);
  expect(code, stdout + stderr).toBe(0);
  expect(fs.readdirSync(unpacked)).not.toContain("gatepost");
});
