/** Values and files that Gatepost cannot take: one sentence, one hint, exit 2 or 3, and nothing changed. */
import { afterAll, beforeAll, expect } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { picture, wrongCalls } from "../helpers/wrong-calls.ts";

const world = makeWorld();
const app = world.at("app.git");
const known = "after-receive before-commit commit-msg after-commit before-push before-receive before-ref proc-receive";
const oneOf = `One of: ${known} disabled git:NAME on:NAME. What each is for: gatepost hook types\n`;

let before: Record<string, string>;
beforeAll(() => {
  world.bare("app.git");
  expect(world.gatepost(["init", app]).code).toBe(0);
  const add = ["hook", "add", "-R", app, "--type", "after-receive", "--command", "echo one", "--name", "one"];
  expect(world.gatepost(add).code).toBe(0);
  before = picture(world.dir);
});
afterAll(() => {
  const changed = picture(world.dir);
  world.remove();
  expect(changed).toEqual(before);
});

const sequence = (text: string): string =>
  `gatepost: "${text}" is not a sequence.\nA sequence is a whole number such as 10 or -3; hooks run in ascending order.\n`;
const name = (text: string): string =>
  `gatepost: "${text}" cannot be the name of a hook.\n` +
  'A name starts with a letter, then letters, digits, "-", "_" or "."; at most 64 characters, and not "all".\n';

wrongCalls(world, "wrong values", app, [
  [
    "hook add --type after-receive",
    2,
    "gatepost: The --command and --type options are required.\nSuch as: gatepost hook add --type after-receive --command 'make test'\n",
  ],
  [
    "hook edit one",
    2,
    "gatepost: At least one of --command, --type, --sequence or another option is required.\nWhat can be changed: gatepost hook edit --help\n",
  ],
  [
    "hook add --command : --type comit-msg",
    2,
    `gatepost: "comit-msg" is not a hook type. Did you mean commit-msg?\n${oneOf}`,
  ],
  ["hook add --command : --type=", 2, `gatepost: "" is not a hook type.\n${oneOf}`],
  [
    "hook edit one --type start-commit",
    2,
    `gatepost: A Git repository cannot fire start-commit hooks.\nIt can fire: ${known} disabled git:NAME on:NAME.\n`,
  ],
  ["hook edit one --sequence abc", 2, sequence("abc")],
  ["hook edit one --sequence 2.7", 2, sequence("2.7")],
  ["hook edit one --sequence ''", 2, sequence("")],
  ["hook edit one --sequence 99999999999999999999", 2, sequence("99999999999999999999")],
  ["hook edit one --command ' '", 2, "gatepost: The command is empty.\nGive a shell line: --command 'make test'\n"],
  [
    "hook edit one --command 'x $((%R))'",
    2,
    "gatepost: %R at column 6 stands in or behind arithmetic.\nWrite %R outside it; the remainder is written %%.\n",
  ],
  ["hook edit one --name all", 2, name("all")],
  ["hook edit one --name 12", 2, name("12")],
  ["hook edit one --name ''", 2, name("")],
  [
    "hook edit one --timeout 0",
    2,
    'gatepost: --timeout takes seconds above 0, not "0".\nSuch as --timeout 30 or 10m. Without it a gate waits for ever, and after-receive has the setting timeout.\n',
  ],
  [
    "hook edit one --retries -1",
    2,
    'gatepost: --retries takes a whole number of at least 0, not "-1".\nSuch as --retries 3\n',
  ],
  ["hook edit one --stdin all", 2, 'gatepost: --stdin does not take "all".\nIt takes: artifacts updates paths\n'],
  ["hook edit one --each batch", 2, 'gatepost: --each does not take "batch".\nIt takes: receipt\n'],
  [
    "hook edit one --ref ''",
    2,
    "gatepost: --ref cannot be empty.\nNo --ref at all means every one; of a hook that has one: --unset ref\n",
  ],
  [
    "hook edit one --unset command",
    2,
    'gatepost: --unset does not take "command".\nIt takes: name sequence timeout retries in-order ref path stdin each trees advisory dir parallel artifact\n',
  ],
  [
    "hook edit one --each receipt --type before-commit",
    2,
    "gatepost: --each is not for before-commit hooks. Nothing was changed.\nLeave it out; of a hook that has it: --unset each\n",
  ],
  ["settings windw", 2, 'gatepost: "windw" is not a setting. Did you mean window?\nAll settings: gatepost settings\n'],
  [
    "settings window x",
    2,
    "gatepost: \"x\" is not a value for window.\nwindow: receipts older than this against the newest of a batch are left out; 'all': none (default 24h).\n",
  ],
  [
    "backoffice --poll x",
    2,
    'gatepost: --poll takes a length of time, not "x".\nSuch as 90 (seconds), 90s, 10m or 24h.\n',
  ],
]);

const wrongImport = (text: string): string =>
  `gatepost: ${text}. Nothing was imported.\nThe format is the one that gatepost hook export prints.\n`;
const hooksText = (...hooks: unknown[]): string => JSON.stringify({ gatepost: 1, hooks });
const good = { type: "after-receive", command: "true" };
const readIt = "Name a file that gatepost hook export wrote, or - for stdin.\n";

wrongCalls(world, "wrong imports", app, [
  ["hook import none.json", 3, `gatepost: There is no file none.json.\n${readIt}`],
  ["hook import .", 2, `gatepost: . is a folder.\n${readIt}`],
  ["hook import -", 2, wrongImport('The file: has no "gatepost": 1 and "hooks": […]'), "[]"],
  [
    "hook import - # a misspelt field",
    2,
    wrongImport("hooks[1].sequenc: is not known; did you mean sequence"),
    hooksText(good, { ...good, sequenc: 3 }),
  ],
  [
    "hook import - # a wrong kind of value",
    2,
    wrongImport("hooks[0].sequence: must be a whole number"),
    hooksText({ ...good, sequence: "3" }),
  ],
  [
    "hook import - # no command",
    2,
    wrongImport('hooks[1]: has no "command"'),
    hooksText(good, { type: "after-receive" }),
  ],
  [
    "hook import - # an empty command",
    2,
    "gatepost: hooks[1]: The command is empty.\nGive a shell line: --command 'make test'\n",
    hooksText(good, { ...good, command: "" }),
  ],
  [
    "hook import - # two scopes",
    2,
    wrongImport("hooks[0]: has pattern and all; only one of them can be"),
    hooksText({ ...good, all: true, pattern: "*" }),
  ],
  [
    "hook import - # a name that is taken",
    2,
    "gatepost: hooks[1]: Hook 1 is already named one. Nothing was changed.\nChange that one (gatepost hook edit one …), or choose another name.\n",
    hooksText(good, { ...good, name: "one" }),
  ],
]);
