/**
 * Package managers besides npm, to try scripts of package.json with: installed from npm when first asked for, into the cache
 * below node_modules, without running any of their installation scripts. They are no dependencies of Gatepost.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { installed } from "./peers.mjs";

const VERSIONS = { pnpm: "9.15.9", yarn: "1.22.22", "@yarnpkg/cli-dist": "4.18.1" };

/** Absolute paths of scripts for node, or null where npm cannot get them: pnpm, yarn (the classic one) and berry. */
export function packageManagers() {
  const folder = installed("package-managers", VERSIONS);
  if (folder === null) return null;
  const at = (...parts) => join(folder, "node_modules", ...parts);
  const found = {
    pnpm: at("pnpm", "bin", "pnpm.cjs"),
    yarn: at("yarn", "bin", "yarn.js"),
    berry: at("@yarnpkg", "cli-dist", "bin", "yarn.js"),
  };
  return Object.values(found).every(existsSync) ? found : null;
}
