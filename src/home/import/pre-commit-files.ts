/** files, exclude and types of a pre-commit hook as pathspecs. */
import { bothMatch, pathspec } from "./globs.ts";
import { globsOfRegex } from "./regex-globs.ts";

/** Endings and names that pre-commit knows a type by. Files it knows by their first line are not among them. */
const TYPES: Readonly<Record<string, string>> = {
  bash: "bash bats",
  c: "c h",
  css: "css",
  dockerfile: "=Dockerfile =Containerfile",
  go: "go",
  html: "htm html xhtml",
  java: "java",
  javascript: "cjs js mjs",
  json: "ejson geojson ipynb json jsonld",
  jsx: "jsx",
  kotlin: "kt kts",
  lua: "lua",
  markdown: "markdown md",
  php: "php php4 php5 phtml",
  proto: "proto",
  pyi: "pyi",
  python: "gyp gypi py pyt pyw tac wsgi",
  rst: "rst",
  ruby: "gemspec jbuilder rake rb =Gemfile =Rakefile",
  rust: "rs",
  scss: "scss",
  shell: "bash bats csh sh zsh",
  sql: "sql",
  svelte: "svelte",
  swift: "swift",
  terraform: "tf tfvars",
  toml: "toml =Pipfile =poetry.lock =Cargo.lock",
  ts: "ts",
  tsx: "tsx",
  vue: "vue",
  yaml: "eyaml yaml yml",
};

export type Files = { paths: string[] | null; why: null; loose: readonly string[] } | { why: string };

type Filter = {
  /** Regular expressions that must all match; empty texts match everything. */
  files: readonly string[];
  excludes: readonly string[];
  types: readonly string[];
  typesOr: readonly string[];
};

/** The pathspecs that leave the same files, or why there are none. `loose` names types that are matched by name only.
 *  */
export function preCommitPaths({ files, excludes, types, typesOr }: Filter): Files {
  let globs = ["*"];
  let ignoreCase = false;
  const loose: string[] = [];
  const meet = (more: readonly string[], what: string): string | null => {
    const both = globs.flatMap((a) => more.map((b) => bothMatch(a, b)));
    if (both.includes(null)) return `${what}: no pathspec matches the same files`;
    globs = [...new Set(both.filter((glob) => glob !== null && glob !== ""))] as string[];
    return globs.length === 0 ? `${what}: nothing can match it` : null;
  };
  for (const regex of files) {
    const found = globsOfRegex(regex);
    const why =
      found === null ? `files ${regex}: no pathspec matches the same files` : meet(found.globs, `files ${regex}`);
    if (why !== null) return { why };
    ignoreCase ||= found?.ignoreCase ?? false;
  }
  for (const type of types.filter((one) => one !== "file" && one !== "text")) {
    const why = meetTypes([type]);
    if (why !== null) return { why };
  }
  if (types.includes("text") && loose.length === 0) loose.push("text");
  if (typesOr.length > 0 && !typesOr.includes("file")) {
    const why = meetTypes(typesOr);
    if (why !== null) return { why };
  }
  function meetTypes(names: readonly string[]): string | null {
    const known = names.map((name) => (Object.hasOwn(TYPES, name) ? TYPES[name] : undefined));
    if (known.includes(undefined)) return `types ${names.join(", ")}: not known by the names of files`;
    loose.push(...names);
    return meet(
      known.flatMap((endings) => (endings ?? "").split(" ").flatMap(globsOfEnding)),
      `types ${names.join(", ")}`,
    );
  }
  const unwanted: string[] = [];
  for (const regex of excludes) {
    const found = globsOfRegex(regex);
    if (found === null) return { why: `exclude ${regex}: no pathspec matches the same files` };
    unwanted.push(...found.globs.map((glob) => pathspec(glob, "exclude", ...(found.ignoreCase ? ["icase"] : []))));
  }
  const wanted = globs.includes("*") ? [] : globs.map((glob) => pathspec(glob, ...(ignoreCase ? ["icase"] : [])));
  if (unwanted.length > 0 && wanted.length === 0) wanted.push(":/");
  return { paths: wanted.length === 0 ? null : [...new Set([...wanted, ...unwanted])], why: null, loose };
}

const globsOfEnding = (ending: string): string[] =>
  ending.startsWith("=") ? [ending.slice(1), `*/${ending.slice(1)}`] : [`*.${ending}`];
