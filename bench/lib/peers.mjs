/**
 * Other hook managers, to compare with and to import from: installed from npm when first asked for, into the cache
 * below node_modules, without running any of their installation scripts. They are no dependencies of Gatepost.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSIONS = { husky: "9.1.7", lefthook: "2.2.2", "simple-git-hooks": "2.14.0" };
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/gatepost", import.meta.url));

/** Absolute paths of the programs, or null where npm cannot get them: husky and simpleGitHooks are scripts for node,
 *  lefthook is the native program itself, which lefthook's own `.bin` entry would start through node. */
export async function peers() {
  const folder = installed("peers", VERSIONS);
  if (folder === null) return null;
  const at = (...parts) => join(folder, "node_modules", ...parts);
  const found = {
    husky: at(".bin", "husky"),
    lefthook: at(`lefthook-${process.platform}-${process.arch}`, "bin", "lefthook"),
    simpleGitHooks: at(".bin", "simple-git-hooks"),
  };
  return Object.values(found).every(existsSync) ? found : null;
}

/** The folder with these versions of packages, installed if they are not; null where npm cannot get them. */
export function installed(name, versions) {
  const folder = join(CACHE, `${name}-${Object.values(versions).join("-")}`);
  return existsSync(folder) || install(folder, versions) ? folder : null;
}

/** Installed beside its place and renamed into it: of two at once, either one's is whole. */
function install(folder, versions) {
  mkdirSync(CACHE, { recursive: true });
  const temporary = mkdtempSync(join(CACHE, "install-"));
  const packages = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"];
  const { status } = spawnSync("npm", ["install", "--prefix", temporary, ...options, ...packages], {
    cwd: temporary,
    stdio: "ignore",
    timeout: 120_000,
  });
  try {
    if (status !== 0) return false;
    renameSync(temporary, folder);
    return true;
  } catch {
    return existsSync(folder); // another one was first
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
