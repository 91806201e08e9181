/** Substitution is judged by real shells: each must take what stands for %R for one word, whatever is in it. */
import { describe, expect, it } from "vitest";
import { readable, substitute, type Values } from "../../src/core/substitute.ts";
import { SHELLS, shellOutputs, type Trial } from "../helpers/shells.ts";

const HOSTILE = [
  "/srv/git/x.git",
  "",
  "two  words\n* ~ # [a-z]*",
  `it's "$(touch canary)" \`touch canary\``,
  "'; touch canary; '\"; touch canary; \"",
  "a[$(touch canary)]<(",
  "-rf",
  "\\",
  "\\\\'}b{c",
  "%R %% ${HOME} $x",
  "möwe\u00a0 鷗",
  "if",
  "2",
];

function accepted(command: string): string {
  const result = substitute(command);
  if (!result.ok) throw new Error(`${JSON.stringify(command)} was refused: ${result.reason}`);
  return result.command;
}

const values = (repository: string): Values => ({ program: "/usr/bin/gatepost", repository, auxiliary: "" });

/** Checks in a shell, with all hostile values, that `command` prints `words`, in which %R is the value. */
function expectWords(shell: readonly string[], rows: readonly [command: string, words: readonly string[]][]): void {
  const wanted: { trial: Trial; words: string; command: string }[] = [];
  for (const [command, words] of rows)
    for (const repository of HOSTILE) {
      const printed = words.map((word) => `${word.replaceAll("%R", () => repository)}\0`).join("");
      for (const text of [accepted(command), readable(command, values(repository))])
        wanted.push({ trial: { text, repository }, words: printed, command });
    }
  expect(wanted.length).toBeGreaterThan(0);
  const printed = shellOutputs(
    shell,
    wanted.map(({ trial }) => trial),
  );
  const all = wanted.map(({ trial, command, words }, n) => ({ command, ...trial, words, printed: printed[n] }));
  expect(all.filter((one) => one.printed !== one.words)).toEqual([]);
}

describe("a place is one safe word", () => {
  const R = "${GATEPOST_REPOSITORY}";
  const rows: [title: string, command: string, text: string, words: string[]][] = [
    ["unquoted", "p %R", `p "${R}"`, ["%R"]],
    ["unquoted, with text on both sides", "p a%Rb-%R", `p a"${R}"b-"${R}"`, ["a%Rb-%R"]],
    ["in double quotes", 'p "a %R b"', `p "a ${R} b"`, ["a %R b"]],
    ["in double quotes, behind a variable", 'p "$v%R"', `p "\${v}${R}"`, ["value%R"]],
    ["in single quotes", "p 'a %R b'", `p 'a '"${R}"' b'`, ["a %R b"]],
    ["in single quotes, behind a dollar sign", "p '$%R'", `p '$'"${R}"''`, ["$%R"]],
    ["behind a backslash", "p \\%R", `p "${R}"`, ["%R"]],
    ["behind two backslashes", "p \\\\%R", `p \\\\"${R}"`, ["\\%R"]],
    ["behind a backslash in double quotes", 'p "\\%R"', `p "\\\\${R}"`, ["\\%R"]],
    ["behind a backslash in single quotes", "p '\\%R'", `p '\\'"${R}"''`, ["\\%R"]],
    ["behind a quoted dollar sign", 'p "\\$%R" \\$%R', `p "\\$${R}" \\$"${R}"`, ["$%R", "$%R"]],
    ["behind parameters of one character", "p $#%R", `p $#"${R}"`, ["2%R"]],
    ["in $(...)", 'p "$(printf %s. %R)"', `p "$(printf %s. "${R}")"`, ["%R."]],
    ["in quotes in $(...)", `p "$(printf %s. "%R"'%R')"`, `p "$(printf %s. "${R}"''"${R}"'')"`, ["%R%R."]],
    ["in $(...) in $(...)", 'p "$(p x$(:)>&2; printf %s. "$(printf %s. %R)")"', "", ["%R.."]],
    ["behind parentheses in $(...)", 'p "$( (:); (printf %s. %R) )"', "", ["%R."]],
    ["in backquotes", 'p "x`printf %s. %R`"', `p "x\`printf %s. \\"\\${R}\\"\`"`, ["x%R."]],
    ["in backquotes and double quotes", 'p "`printf %s. \\"%R\\"`"', `p "\`printf %s. \\"\\${R}\\"\`"`, ["%R."]],
    ["in backquotes and single quotes", "p \"`printf %s. '%R'`\"", "", ["%R."]],
    ["in backquotes in an assignment", 'y=`printf %s. "%R" \\%R`; p "$y"', "", ["%R.%R."]],
    ["in backquotes in backquotes", 'y=`printf %s. "\\`printf %s. %R\\`"`; p "$y"', "", ["%R.."]],
    ["in backquotes in quoted backquotes", 'y="`z=\\`printf %s. %R\\`; printf %s. \\"\\$z\\"`"; p "$y"', "", ["%R.."]],
    ["in backquotes with a comment", 'y=`printf %s. %R # it\'s`; p "$y" %R', "", ["%R.", "%R"]],
    ["behind backquotes with $(...) in them", 'p "`printf "$(printf %s b)"`" %R', "", ["b", "%R"]],
    ["in ${x:-...}", "p ${x:-a%R} ${v:-%R}", `p \${x:-a"${R}"} \${v:-"${R}"}`, ["a%R", "value"]],
    ["in quotes in ${x:-...}", `p \${x:-'}%R'"}%R"\\%R}`, "", ["}%R}%R%R"]],
    ["in a quoted ${x:-...}", 'p "${x:-$v%R}\\%R"', `p "\${x:-\${v}${R}}\\\\${R}"`, ["value%R\\%R"]],
    ["in a quoted ${x-...} in another", 'p "${x:-${y-%R}}" %R', "", ["%R", "%R"]],
    ["in a quoted ${x:=...}", 'p "${x:=%R}" "$x"', `p "\${x:=${R}}" "$x"`, ["%R", "%R"]],
    ["in ${x:-...} in another", 'p "$(printf %s. ${x:-${x:-%R"%R"}})"', "", ["%R%R."]],
    ["in $(...) in ${x:-...} in another", "p \"${x:-${x:-$(printf %s. ${x:-'%R'} '%R')}}\"", "", ["%R.%R."]],
    ["in $(...) in ${x:-...}", 'p "${x:-$(printf %s. %R)}"', "", ["%R."]],
    ["as a prefix to cut off", 'p "${f#%R/}" ${f#%R/}', `p "\${f#"${R}"/}" \${f#"${R}"/}`, ["tail", "tail"]],
    ["as a prefix to cut off, behind a variable", 'g=value%R*; p "${g#$v%R}" "${g#$v\\\n%R}"', "", ["*", "*"]],
    ["as a suffix to cut off", 'g=a/%R; p "${g%%%R}" "${g%%%%/%R}"', "", ["a/", "a"]],
    ["in an assignment", 'y=%R; p "$y"; y=a:%R p b; export y=%R; p "$y"', "", ["%R", "b", "%R"]],
    ["as what case looks at, and as a pattern", "case %R in a%R) p no;; %R) p yes;; esac", "", ["yes"]],
    ["as a part of a glob", "p *%R*/%R", "", ["*%R*/%R"]],
    ["behind a tilde", "p ~%R", "", ["~%R"]],
    ["in a for loop", 'for y in a %R; do p "$y"; done', "", ["a", "%R"]],
    ["in a function", 'g() { p "$1" %R; }; g %R', "", ["%R", "%R"]],
    ["in a subshell and behind !", "(p %R); ! p %R", "", ["%R", "%R"]],
    ["in braces", "{ p %R; }; p {%R}", "", ["%R", "{%R}"]],
    ["in a test", "[ %R = %R ] && p same", "", ["same"]],
    ["behind a comment", "p a # it's (\np %R", `p a # it's (\np "${R}"`, ["a", "%R"]],
    ["behind a # that is no comment", "p a#'%R' $# \\#'%R'", "", ["a#%R", "2", "#%R"]],
    ["behind arithmetic", 'y=$((1 << 2)); p $y "$(($y%%3))" %R', "", ["4", "1", "%R"]],
    ["behind a continued line", "p a\\\n%R \\\n#'%R'\np \"\\\n%R\"", "", ["a%R", "%R"]],
    ["behind an apostrophe in double quotes", "p \"it's\" '\"' %R", "", ["it's", '"', "%R"]],
    ["behind ended unusual quotes", "p %R >/dev/null $'a\\n' $\"b\"; p %R", "", ["%R"]],
    ["behind simple quotes nested in an expansion", 'p "${x:-"a b"}" "%R"', "", ["a b", "%R"]],
    ["behind [[ ]], also in an sh without it", "if [[ a = a ]]; then p x; else p x; fi; p %R", "", ["x", "%R"]],
    ["behind a subscript or glob", "p v[0-9] %R *[a]%R; p \\[%R\\]", "", ["v[0-9]", "%R", "*[a]%R", "[%R]"]],
    ["for an inner shell as its argument", `sh -c 'printf "%s\\0" "$1"' sh %R`, "", ["%R"]],
  ];

  it.each(rows.filter(([, , text]) => text !== ""))("%s: the text that the shell gets", (_, command, text) => {
    expect(accepted(command)).toBe(text);
  });

  it.each(SHELLS.map((shell) => ({ shell })))(
    "for $shell, whatever the value and whatever surrounds it",
    ({ shell }) => {
      expectWords(
        shell,
        rows.map(([, command, , words]) => [command, words]),
      );
    },
  );
});

describe("a place that cannot be one safe word is refused", () => {
  it.each([
    ["cat <<E\n%R\nE", "%R at line 2, column 1 stands in or behind a here-document: write $GATEPOST_REPOSITORY there."],
    ["cat <<'E'\nit's\nE\np %A", "%A at line 4, column 3 stands in or behind a here-document"],
    ["p $%R", 'column 4 stands where the shell wants a variable\'s name: write %R alone, or "$GATEPOST_REPOSITORY".'],
    ["p $\\%R", "column 5 stands where the shell wants a variable's name"],
    ['p "$%R"', "column 5 stands where the shell wants a variable's name"],
    ["p ${%R}", "column 5 stands where the shell wants a variable's name"],
    ["p ${#%R}", "column 6 stands"],
    ["p ${f%R}", "column 6 follows a variable's name in braces: write %%R to cut off the letter, %%%R the value"],
    ["p ${x:=%R}", "column 8 is assigned and then split into words"],
    ["p ${f/%R/x}", "column 7 stands in an expansion that not every sh knows: write x=%R first, and use $x in it."],
    ['p "${f:%R}"', "column 8 stands in an expansion"],
    ['p "${x:-"%R"}"', "column 10 stands behind or in quotes nested in ${...}"],
    ["p \"${x:-'}'}\" %R", "column 15 stands behind or in quotes nested"],
    ['p "${x:-`echo %R`}"', "column 15 stands behind or in quotes nested"],
    ["p ${x:-${x:-'%R'}}", "column 14 stands behind or in quotes nested"],
    ["p ${x:-${x:-$'a'}} %R", "column 20 stands behind or in quotes nested"],
    ["p ${f#${x:-%R}}", "column 12 stands behind or in quotes nested"],
    ["a[%R]=1", "column 3 stands in or behind [ ]"],
    ['a["%R"]=1', "column 4 stands in or behind [ ]"],
    ["a[ %R ]=1", "column 4 stands in or behind [ ]"],
    ["a=([%R]=1)", "column 5 stands in or behind [ ]"],
    ["p ['%R']*", "column 5 stands in or behind [ ]"],
    ["p *[ab%R]*", "column 7 stands in or behind [ ]"],
    ["[[ %R -eq 1 ]]", "column 4 stands in [[ ]], which may compute with it: write [ ] with %R."],
    ["[[ 1 -eq \"%R\" && x = '%R' ]]", "column 11 stands in [[ ]]"],
    ["p $((%R + 1))", "column 6 stands in or behind arithmetic"],
    ["p $((7%R))", "the remainder is written %%."],
    ['p "$((`q %R`))"', "column 10 stands in or behind arithmetic"],
    ["((x = %R)); p 1", "column 7 stands in or behind arithmetic"],
    ["((p a); p %R)", "column 11 stands in or behind arithmetic"],
    ["((1<<2)); p %R", "column 13 stands in or behind arithmetic"],
    ["p $[%R]", "column 5 stands in or behind arithmetic"],
    ["p $'%R'", "column 5 stands in or behind $'...'"],
    ["p $'\\'' %R", "column 9 stands in or behind $'...'"],
    ['p $"%R"', 'column 5 stands in $"...", which is translated'],
    ["p $(case x in x) p %R;; esac)", 'column 20 stands behind "case" in $(...)'],
    ["p $(: # it's\n) %R", "line 2, column 3 stands behind a comment with quotes in $(...)"],
    ["p $\\\n(%R)", "line 2, column 2 stands behind a line that ends in an operator"],
    ["p $(\\\n(%R))", "line 2, column 2 stands behind a line that ends in an operator"],
    ["p `p 'a\\\n' %R`", "line 2, column 3 stands behind a line"],
    [
      "p `p $(p %R)`",
      "column 10 stands in or behind $(...) in backquotes, read differently by shells: write $(...) for both.",
    ],
    ["p 'a %R", "column 6 stands in quotes, braces or parentheses that nothing closes: close them."],
    ['p "a %R', "that nothing closes"],
    ["p $(p %R", "that nothing closes"],
    ["p ${x:-%R", "that nothing closes"],
    ["p `p $'a` %R", "that nothing closes"],
    ['p "`p %R`', "that nothing closes"],
    ["p ${x:-{%R}", "column 9 stands in an expansion"],
    ['p "${x:-"it\'s"}" %R', "column 18 stands behind or in quotes nested"],
    ["p $((p a) ) %R", "column 13 stands in or behind arithmetic"],
    ["p $(($(p))) %R", "column 13 stands in or behind arithmetic"],
    ["p `p %R", "that nothing closes"],
    ["p `p 'a` %R", "that nothing closes"],
    ["p <<\\\n<E %R", "here-document"],
    [`${"$(".repeat(200)}%R`, "stands too deep in quotes"],
  ])("%j", (command, reason) => {
    const result = substitute(command);
    expect(result).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
    expect(readable(command, values("v"))).toBe(command);
  });
});

it("%F, %R and %A are three variables, of which those that occur are named", () => {
  const result = substitute("%F look -R %R '%A' # %A");
  expect(result).toEqual({
    ok: true,
    command: `"\${GATEPOST_PROGRAM}" look -R "\${GATEPOST_REPOSITORY}" ''"\${GATEPOST_AUX}"'' # %A`,
    uses: new Set(["F", "R", "A"]),
  });
  expect(substitute("cat %A # %R")).toMatchObject({ uses: new Set(["A"]) });
  for (const shell of SHELLS)
    expect(shellOutputs(shell, [{ text: accepted("p %F %A '%R'"), repository: "r", auxiliary: "" }])).toEqual([
      "/usr/bin/gatepost\0\0r\0",
    ]);
});

it("%% is a percent sign, and any other letter leaves the percent sign alone", () => {
  expect(accepted("date +%%F +%F%%")).toBe('date +%F +"${GATEPOST_PROGRAM}"%');
  expect(accepted("date +%Y-%m %r %%%R 100%")).toBe('date +%Y-%m %r %"${GATEPOST_REPOSITORY}" 100%');
  expect(accepted("p ${f%%.*} ${f%%%%.*} $((7%%3)) \\%%R")).toBe("p ${f%.*} ${f%%.*} $((7%3)) \\%R");
});

it("the readable form has quotes only where they are needed", () => {
  const form = (command: string, repository: string): string => readable(command, values(repository));
  expect(form("cd %R; ls --all=%R/refs `p %R`", "/srv/x.git")).toBe(
    "cd /srv/x.git; ls --all=/srv/x.git/refs `p /srv/x.git`",
  );
  expect(form("p \"%R\" '%R' a%R", "it's $5")).toBe(`p "it's \\$5" 'it'\\''s $5' a'it'\\''s $5'`);
  expect(form("p %R %A", "two words")).toBe("p 'two words' ''");
  expect(form("%R %R>x $v%R *%R", "if")).toBe("'if' 'if'>x ${v}'if' *'if'");
  expect(form('p "${x:-%R}" ${f#%R/}', "/srv/x.git")).toBe('p "${x:-/srv/x.git}" ${f#"/srv/x.git"/}');
  expect(form('p "${x:-%R}" %R', "it's")).toBe(
    "GATEPOST_REPOSITORY='it'\\''s'; p \"${x:-${GATEPOST_REPOSITORY}}\" 'it'\\''s'",
  );
  expect(form("p %R>x %R", "2.")).toBe("p '2.'>x 2.");
});
