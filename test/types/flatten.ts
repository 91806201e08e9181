/**
 * What a module of the package exports, and every type that follows from it, in one text: read from the declarations that
 * the compiler wrote, without comments and without the files they stand in. Two builds with the same text offer the same.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

type Declarations = {
  /** Declared here: name to text. */
  own: Map<string, string>;
  /** Brought in, or passed on, from another file: name here to file and name there. */
  others: Map<string, { file: string; name: string }>;
  /** The names that the module exports from others. */
  passedOn: string[];
};

/** The text: a line that names the exports, then each declaration, by name, without those that `beside` has already. */
export function flatten(entry: string, beside = ""): string {
  const { own, passedOn } = read(entry);
  const exported = [...own.keys()].filter((name) => own.get(name)?.startsWith("export")).concat(passedOn);
  const found = new Map<string, string>();
  for (const name of exported) visit(entry, name, found);
  const texts = [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text)
    .filter((text) => !`\n${beside}`.includes(`\n${text}\n`));
  return `exports: ${exported.sort().join(" ")}\n\n${texts.join("\n")}\n`;
}

function visit(file: string, name: string, found: Map<string, string>): void {
  const { own, others } = read(file);
  const text = own.get(name);
  if (text === undefined) {
    const other = others.get(name);
    if (other !== undefined) visit(other.file, other.name, found);
    return;
  }
  const key = `${name} ${text}`;
  if (found.has(key)) return;
  found.set(key, text);
  // What a colon follows is the name of a property.
  for (const [word] of text.matchAll(/\b[A-Za-z_]\w*\b(?!\??:)/g))
    if (word !== name && (own.has(word) || others.has(word))) visit(file, word, found);
}

const files = new Map<string, Declarations>();

function read(file: string): Declarations {
  const known = files.get(file);
  if (known !== undefined) return known;
  const declarations: Declarations = { own: new Map(), others: new Map(), passedOn: [] };
  files.set(file, declarations);
  for (const statement of statements(readFileSync(file, "utf8"))) {
    const from = /^(import|export)(?: type)? \{([^}]*)\} from "(\.[^"]+)";$/s.exec(statement);
    if (from !== null) {
      const target = join(dirname(file), (from[3] ?? "").replace(/\.[jt]s$/, ".d.ts"));
      for (const item of (from[2] ?? "").split(",").map((one) => one.trim().replace(/^type /, ""))) {
        const [there = "", here = there] = item.split(" as ");
        if (there === "") continue;
        declarations.others.set(here, { file: target, name: there });
        if (from[1] === "export") declarations.passedOn.push(here);
      }
      continue;
    }
    const own = /^(?:export )?(?:declare )?(?:type|const|class|function|interface) (\w+)/.exec(statement);
    if (own?.[1] !== undefined) declarations.own.set(own[1], statement);
  }
  return declarations;
}

/** The top-level statements, without comments. */
function statements(text: string): string[] {
  const all: string[] = [];
  let current: string[] = [];
  let depth = 0;
  for (const line of text.replace(/\/\*[\s\S]*?\*\/|^\/\/.*$/gm, "").split("\n")) {
    if (line.trim() === "") continue;
    current.push(line);
    depth += (line.match(/[{([]/g)?.length ?? 0) - (line.match(/[})\]]/g)?.length ?? 0);
    if (depth > 0 || !/[;}]$/.test(line)) continue;
    all.push(current.join("\n"));
    current = [];
  }
  return all;
}
