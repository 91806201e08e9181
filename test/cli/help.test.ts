/** The help of every command: what docs/cli.md is made of. */
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { expectPage } from "../helpers/page.ts";

const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;

const withSubCommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubCommands)];
const commands = withSubCommands(buildProgram());

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
});
