/** `gatepost settings`: shows and changes the settings of a home. */
import type { Command } from "commander";
import { GatepostError } from "../../core/errors.ts";
import { shownSetting } from "../../core/settings.ts";
import { paint, print, printJson, say, table } from "../output.ts";
import { addWhere, type Where, withHome } from "../where.ts";

type Options = Where & { json?: boolean; unset?: boolean };

export function registerSettings(program: Command): void {
  addWhere(program.command("settings").description("show or change the settings of a home"))
    .argument("[NAME]", "a setting; without it, all are shown")
    .argument("[VALUE]", "its new value")
    .option("--unset", "take the setting back to its default")
    .option("--json", "print them as JSON")
    .addHelpText("after", "\nExamples:\n  gatepost settings window all\n  gatepost settings --unset window")
    .action(settings);
}

async function settings(name: string | undefined, value: string | undefined, given: Options): Promise<void> {
  if (given.unset && (name === undefined || value !== undefined))
    throw new GatepostError("GP_USAGE", "--unset takes the name of one setting, and no value.");
  await withHome(given, async ({ home }) => {
    const { changeSetting, listSettings } = await import("../../home/settings.ts");
    const { ringDaemon } = await import("../../home/ring.ts");
    if (name !== undefined && (value !== undefined || given.unset)) {
      const line = changeSetting(home, name, value ?? null);
      ringDaemon(home);
      say(`${line.name} is ${shownSetting(line.name, line.value)}${line.isDefault ? " (the default)" : ""}`);
      return;
    }
    const lines = listSettings(home, name);
    if (given.json) return printJson({ settings: lines });
    if (name !== undefined) return print(lines[0]?.value ?? "");
    print(
      table(
        ["SETTING", "VALUE", "WHAT"],
        lines.map(({ name, value, isDefault, says }) => {
          const shown = shownSetting(name, value);
          return [name, isDefault ? shown : paint("bold", shown), says];
        }),
      ),
    );
  });
}
