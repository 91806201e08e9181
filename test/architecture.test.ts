/** Who may import whom: the rules of the layout, read from the imports themselves. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = (readdirSync(join(root, "src"), { recursive: true }) as string[])
  .filter((file) => file.endsWith(".ts"))
  .map((file) => join("src", file));

type Import = { from: string; to: string };

/** Every import of the sources: static, dynamic and of types; packages by name, files by path below the root. */
const imports: Import[] = sources.flatMap((file) => {
  const text = readFileSync(join(root, file), "utf8");
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)"([^"]+)"/gm);
  return [...found].map(([, target = ""]) => ({
    from: file,
    to: target.startsWith(".") ? normalize(join(dirname(file), target)) : target,
  }));
});

/** "store" for src/store/hook.ts, "index" for src/index.ts, the package's name for a package. */
function part(path: string): string {
  if (!path.startsWith("src/")) return path;
  return path.split("/")[1]?.replace(/\.ts$/, "") ?? path;
}

/** Which parts each part may import, besides itself and core. */
const allowed: Record<string, readonly string[]> = {
  core: [],
  store: [],
  spool: [],
  process: [],
  vcs: ["process"],
  backoffice: ["store", "vcs", "spool", "process"],
  gate: ["store", "vcs", "spool", "process"],
  shim: ["store", "vcs", "spool", "process"],
  home: ["store", "vcs", "spool", "process", "backoffice", "gate", "shim"],
  cli: ["home"],
  index: ["home"],
  testing: ["home", "index"],
};

const packages: Record<string, (file: string) => boolean> = {
  "better-sqlite3": (file) => part(file) === "store" || file.startsWith("src/vcs/fossil"),
  execa: (file) => part(file) === "process",
  "node:child_process": (file) => part(file) === "process",
  "node:worker_threads": (file) => part(file) === "process" || file.startsWith("src/home/thread"),
  commander: (file) => part(file) === "cli",
  "node-cron": (file) => file === "src/backoffice/schedule.ts",
  yaml: (file) => file.startsWith("src/home/import/"),
};

describe("the layout", () => {
  it("has imports to judge", () => {
    expect(imports.length).toBeGreaterThan(200);
  });

  it("lets each part import only what stands below it", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!to.startsWith("src/") || part(from) === part(to) || part(to) === "core") return false;
      return !allowed[part(from)]?.includes(part(to));
    });
    expect(wrong).toEqual([]);
  });

  it("keeps each package in its place", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (to.startsWith("src/")) return false;
      const isPlace = packages[to];
      return isPlace === undefined ? !to.startsWith("node:") : !isPlace(from);
    });
    expect(wrong).toEqual([]);
  });

  it("starts threads in one place", () => {
    const starting = sources.filter((file) => /\bnew Worker\b/.test(readFileSync(join(root, file), "utf8")));
    expect(starting).toEqual(["src/process/thread.ts"]);
  });

  it("loads nothing that touches a database into the thread of a program that embeds it", () => {
    const known = new Set<string>();
    const visit = (file: string): void => {
      if (known.has(file) || !file.startsWith("src/")) return;
      known.add(file);
      const text = readFileSync(join(root, file), "utf8");
      // What is imported for its types alone is not loaded.
      for (const [, target = ""] of text.matchAll(/^(?:im|ex)port (?!type\b)[^;]*?"(\.[^"]+)"/gm))
        visit(normalize(join(dirname(file), target)));
    };
    visit("src/index.ts");
    expect(known.size).toBeGreaterThan(5);
    expect([...known].filter((file) => /^src\/(store|vcs|spool|backoffice|gate|shim)\//.test(file))).toEqual([]);
  });

  it("keeps core pure", () => {
    const wrong = imports.filter(
      ({ from, to }) => part(from) === "core" && to.startsWith("node:") && to !== "node:path",
    );
    expect(wrong).toEqual([]);
  });

  it("has no cycles", () => {
    const edges = new Map<string, string[]>();
    for (const { from, to } of imports) if (to.startsWith("src/")) edges.set(from, [...(edges.get(from) ?? []), to]);
    const done = new Set<string>();
    const path: string[] = [];
    const visit = (file: string): void => {
      if (path.includes(file)) throw new Error(`cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
      if (done.has(file)) return;
      path.push(file);
      for (const next of edges.get(file) ?? []) visit(next);
      path.pop();
      done.add(file);
    };
    for (const file of edges.keys()) visit(file);
    expect(done.size).toBeGreaterThan(50);
  });

  it("keeps files small", () => {
    const lengths = sources.map(
      (file) => [file, readFileSync(join(root, file), "utf8").split("\n").length - 1] as const,
    );
    expect(lengths.filter(([, lines]) => lines > 320)).toEqual([]);
  });
});
