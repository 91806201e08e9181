/** Substitution on random commands, well-formed or not, run by real shells. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readable, substitute } from "../../src/core/substitute.ts";
import { SHELLS, shellOutputs } from "../helpers/shells.ts";

const shown = (command: string, repository: string): string =>
  readable(command, { program: "/usr/bin/gatepost", repository, auxiliary: "" });

function accepted(command: string): string {
  const result = substitute(command);
  if (!result.ok) throw new Error(`${JSON.stringify(command)} was refused: ${result.reason}`);
  return result.command;
}

/** A source, and what the shell must make of it, with NUL where the value stands. */
type Said = readonly [source: string, meaning: string];
const joined = (parts: readonly Said[]): Said => [parts.map(([s]) => s).join(""), parts.map(([, m]) => m).join("")];
const wrapped = (before: string, [source, meaning]: Said, after: string, printed = ""): Said => [
  before + source + after,
  meaning + printed,
];

const grammar = fc.letrec<Record<"word" | "bare" | "double" | "single" | "brace", Said>>((tie) => {
  const some = (name: "bare" | "double" | "single" | "brace") =>
    fc.array(tie(name), { minLength: 1, maxLength: 4, depthIdentifier: "word" }).map(joined);
  const of = (...said: Said[]) => fc.constantFrom(...said);
  const output = tie("word").map((word) => wrapped("$(printf %s. ", word, ")", "."));
  const deep = { depthIdentifier: "word", maxDepth: 4 };
  return {
    word: some("bare"),
    bare: fc.oneof(
      deep,
      of(
        ["%R", "\0"],
        ["\\%R", "\0"],
        ["a", "a"],
        ["\\\\", "\\"],
        ["%%R", "%R"],
        ["b#", "b#"],
        ["\\\na", "a"],
        ["%x", "%x"],
      ),
      some("double").map((said) => wrapped('"', said, '"')),
      some("single").map((said) => wrapped("'", said, "'")),
      // single quotes in a nested ${...} are refused
      tie("word").map((word) => (/\$\{x:-.*'/s.test(word[0]) ? word : wrapped("${x:-", word, "}"))),
    ),
    double: fc.oneof(
      deep,
      of(
        ["%R", "\0"],
        ["\\%R", "\\\0"],
        [" it's ", " it's "],
        ['\\"', '"'],
        ["$v", "value"],
        ["\\$", "$"],
        ["%%", "%"],
      ),
      output,
      tie("word").map(([s, m]): Said => {
        const escaped = s.replace(/[\\`$"]/g, "\\$&");
        // $(...) in backquotes is refused, and so no subject here
        return [s.includes("$(") ? `$(printf %s. ${s})` : `\`printf %s. ${escaped}\``, `${m}.`];
      }),
      some("brace").map((said) => wrapped("${x:-", said, "}")),
    ),
    brace: fc.oneof(deep, of(["%R", "\0"], ["\\%R", "\\\0"], [" ", " "], ["$v", "value"], ["\\}", "}"]), output),
    single: of(["%R", "\0"], [" ", " "], ["\\", "\\"], ['"', '"'], ["$", "$"], ["`", "`"], ["%%", "%"]),
  };
});

/** Commands that print the words they are made of. */
const spoken = fc
  .tuple(
    fc.array(grammar.word, { minLength: 1, maxLength: 3 }),
    fc.constantFrom(
      "p @",
      "(p @)",
      "{ p @; }",
      "# it's\np @ # \"",
      "if :; then p @; fi",
      "g() { p @; }; g",
      "! p @",
      'for y in @; do p "$y"; done',
    ),
  )
  .map(([words, frame]) => ({
    command: frame.replace("@", () => words.map(([source]) => source).join(" ")),
    words: words.map(([, meaning]) => `${meaning}\n`).join(""),
  }))
  // A continued line is taken out of backquotes by some shells even in single quotes: refused, and so no subject here.
  .filter(({ command }) => !/`[^`]*\\\n/.test(command));

const nasty = fc.string({
  unit: fc.constantFrom(..." \t\n'\"\\$`*?[]{}()~#;&|<>=!%R-a7ö", "$(touch canary)", "`touch canary`", "\\\\", "${x}"),
  maxLength: 12,
});

// Texts that may or may not be well-formed: whatever people write, with good intent or bad.
const noise =
  "' \" ` \\ \\\\ \\' \\\" \\$ \\` $ $v ${v} ${#v} $# $$ # ( ) (( )) $((1+1)) $(( ${x:- ${v# ${v%%%% ${x:= ${v+ { } {a, [ ] " +
  "a[ = ~ ! * $' $\" <<< ;; ö";
const soup = fc.letrec<{ text: string; piece: string }>((tie) => ({
  text: fc.array(tie("piece"), { maxLength: 5, depthIdentifier: "soup" }).map((pieces) => pieces.join("")),
  piece: fc.oneof(
    { depthIdentifier: "soup", maxDepth: 4 },
    { weight: 6, arbitrary: fc.constantFrom("%R", "%R", "\\%R", "a", " ", " b", "\nq ", "; q ", " | cat; q ") },
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        ...noise.split(" "),
        " # it's\n",
        " #",
        "$(q ",
        " [[ ",
        " ]] ",
        " x=",
        "\\\n",
        "<<E\n",
      ),
    },
    { weight: 2, arbitrary: tie("text").map((text) => `"${text}"`) },
    { weight: 2, arbitrary: tie("text").map((text) => `'${text.replaceAll("'", "")}'`) },
    { weight: 2, arbitrary: tie("text").map((text) => `$(q ${text})`) },
    { weight: 2, arbitrary: tie("text").map((text) => `\`q ${text.replace(/[\\$`]/g, "\\$&")}\``) },
    { weight: 1, arbitrary: tie("text").map((text) => `"\`q ${text.replace(/[\\$`"]/g, "\\$&")}\`"`) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom("x:-", "x-", "v:+", "v#", "v%%", "x:?", "x:="), tie("text"))
        .map(([head, text]) => `\${${head}${text}}`),
    },
    { weight: 1, arbitrary: tie("text").map((text) => `(q ${text})`) },
    { weight: 1, arbitrary: tie("text").map((text) => `\ncase x in y) q ${text};; *) q %R;; esac\nq `) },
  ),
}));

const MEAN = 'it\'s  "$(touch canary)" \\`touch canary`\\\\ }*{ ~ #; %R é$';
const TAME = "@Q@";

/** Looking for the end of a text in double quotes, bash takes "$${" for "${" and a quote behind it for one that opens, which
 *  the shells disagree about: what is shown cannot be pasted into bash then. What is run is not concerned. */
const NOT_TO_BE_PASTED = /\$\$\{/;

/** With a mean value, and with a tame word written in its place, a command must print the same in one and the same
 *  shell, be the text what that shell takes for well-formed or not. */
function differences(shell: readonly string[], commands: readonly string[]): object[] {
  const printed = shellOutputs(
    shell,
    commands.flatMap((command) => [
      { text: command.replace(/%([%R])/g, (_, c) => (c === "%" ? "%" : TAME)), repository: TAME, marker: TAME },
      { text: accepted(command), repository: MEAN, marker: MEAN },
      { text: shown(command, MEAN), repository: MEAN, marker: MEAN },
    ]),
  );
  expect(printed.filter((text) => text.includes("@")).length, "most print the value").toBeGreaterThan(commands.length);
  return commands.flatMap((command, n) => {
    const [tame, mean, pasted] = printed.slice(3 * n, 3 * n + 3);
    return mean === tame && (pasted === tame || NOT_TO_BE_PASTED.test(command))
      ? []
      : [{ shell, command, accepted: accepted(command), tame, mean, pasted }];
  });
}

describe("on random commands", () => {
  it("every shell gets the words that were meant, with any value", () => {
    fc.assert(
      fc.property(fc.array(spoken, { minLength: 20, maxLength: 40 }), nasty, (commands, repository) => {
        const meant = commands.flatMap(({ words }) => [words, words]).map((w) => w.replaceAll("\n", "\u0001"));
        const wanted = meant.map((w) => w.replaceAll("\0", () => repository).replaceAll("\u0001", "\0"));
        const texts = commands.flatMap(({ command }) => [accepted(command), shown(command, repository)]);
        for (const shell of SHELLS)
          expect(
            shellOutputs(
              shell,
              texts.map((text) => ({ text, repository })),
            ),
          ).toEqual(wanted);
      }),
      { numRuns: 4, interruptAfterTimeLimit: 20_000 },
    );
  });

  it("a value makes no difference to what a shell takes for quotes, commands and words", () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const count = 100;
    const commands = fc
      .sample(soup.text, { numRuns: 12 * count, seed })
      .map((text) => `q ${text}`)
      .filter((command) => command.includes("%R") && substitute(command).ok)
      .slice(0, count);
    expect(commands).toHaveLength(count);
    for (const shell of SHELLS) expect({ seed, wrong: differences(shell, commands) }).toEqual({ seed, wrong: [] });
  });

  const unit = fc.constantFrom(
    ...noise.split(" "),
    "%R",
    "%A",
    "%F",
    "%%",
    "%",
    "a",
    " ",
    "\n",
    "case ",
    "$(",
    "`",
    "\\\n",
  );

  it("nothing is thrown, and what is accepted is filled wherever it is no comment", () => {
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
        const result = substitute(text);
        const filled = shown(text, "v");
        if (!result.ok) expect([filled, /^%[FRA] at .*column \d+ .*[^.]\.$/.test(result.reason)]).toEqual([text, true]);
        else if (!/#|%%/.test(text)) expect(result.command).not.toMatch(/%[FRA]/);
      }),
      { numRuns: 3000 },
    );
    for (const opening of ['"$(', '"${x:-', "`", "(", "$((", "'", "a[", "${x#", '"`\\"'])
      expect(typeof substitute(`${opening.repeat(20_000)}%R`).ok).toBe("boolean");
  });

  it("a text without percent signs comes back as it is, and so does one whose percent signs are doubled", () => {
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
        const without = text.replaceAll("%", "");
        expect(substitute(without)).toEqual({ ok: true, command: without, uses: new Set() });
        expect(substitute(text.replaceAll("%", "%%"))).toEqual({ ok: true, command: text, uses: new Set() });
        expect(shown(text.replaceAll("%", "%%"), "v")).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });
});
