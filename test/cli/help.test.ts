/** The help of every command: what docs/cli.md is made of. */
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { expectPage } from "../helpers/page.ts";
import { callsOn, wrongWith } from "../helpers/shown-calls.ts";

const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;

/** The command and all below it that help names. */
function withSubCommands(command: Command): Command[] {
  const shown = command.createHelp().visibleCommands(command);
  return [command, ...command.commands.filter((sub) => shown.includes(sub)).flatMap(withSubCommands)];
}
const program = buildProgram();
const commands = withSubCommands(program);

/** What `--help` prints, for a terminal of 100 columns. */
function help(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (more) => {
      text += more;
    },
    getOutHelpWidth: () => 100,
  });
  command.outputHelp();
  return text.trimEnd();
}

describe("the help of the commands", () => {
  it("is what docs/cli.md says", () => {
    const sections = commands.map((command) => `## ${pathOf(command)}\n\n\`\`\`\n${help(command)}\n\`\`\`\n`);
    const head = "# The command line\n\n<!-- Made from the help of the commands by test/cli/help.test.ts. -->\n";
    expectPage("cli.md", [head, ...sections].join("\n"));
  });

  it.for(commands.map((command) => [pathOf(command), command] as const))("of %s says what it is for", ([, command]) => {
    expect(command.description()).not.toBe("");
    const silent = [...command.options, ...command.registeredArguments].filter(({ description }) => !description);
    expect(silent).toEqual([]);
  });

  it.for(commands.map((command) => [pathOf(command), command] as const))(
    "of %s gives an example",
    ([path, command]) => {
      const [, examples = ""] = /^Examples?\b[^\n]*:\n(.*)/ms.exec(help(command)) ?? [];
      const calls = examples.split("\n").flatMap(callsOn);
      const own = calls.filter((words) => `gatepost ${words.join(" ")} `.startsWith(`${path} `));
      expect(own, `gatepost must be shown as it is called: ${examples}`).not.toEqual([]);
      expect(calls.flatMap((words) => wrongWith(program, words) ?? [])).toEqual([]);
    },
  );

  it("would not pass with an example of what does not exist", () => {
    const judged = (line: string): (string | null)[] => callsOn(line).map((words) => wrongWith(program, words));
    expect(judged("  sudo gatepost hook list | gatepost hook imprt -")).toEqual([null, expect.stringMatching(/imprt/)]);
    expect(judged("$ gatepost runs --faild")).toEqual(["--faild is no option of runs"]);
    expect(judged("gatepost hook add --type x --command '--nope; gatepost nope'   # --no")).toEqual([null]);
  });
});
