/** docs/why.md, done as it says: for each section a server's repository is brought to where the section begins, and what
 *  is typed there must show what the page shows. */
import * as fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeWorld, program } from "../helpers/cli.ts";
import { expectSeen, type Step, sectionsOf } from "../helpers/manual.ts";

const INIT = "gatepost init . && gatepost settings automatic-backoffice off";
const add = (name: string, command: string, more = ""): string =>
  `gatepost hook add --type after-receive --name ${name} --command '${command}' ${more}`;
const PUSH = 'git -C "$CLONE" commit -q --allow-empty -m more; git -C "$CLONE" push -q origin HEAD:main';
const PASS = "gatepost backoffice .";
const failing = [
  INIT,
  add("ci", 'echo "22 tests failed"; exit 22'),
  add("docs", "true", "--ref 'refs/heads/docs/*'"),
  PUSH,
  PASS,
];

/** What is done in the repository before the section's transcript. */
const BEFORE: Record<string, string[]> = {
  "The hook ran, and failed": failing,
  "The hook was skipped": failing,
  "Nothing ran, and nothing is listed": [INIT, add("ci", "true"), PUSH],
  "The shim is gone": [INIT, add("ci", "true"), "rm hooks/post-receive", PUSH],
  "The repository is not registered": [],
  "It waits for more": [
    INIT,
    add("ci", "true"),
    "git config receive.advertisePushOptions true",
    PUSH.replace("push -q", "push -q -o gatepost.more"),
    PASS,
  ],
  "It was too old": [INIT, add("ci", "true"), PUSH, "touch -d '3 days ago' gatepost/spool/*.entry", PUSH, PASS],
  "Somebody paused it": [INIT, add("ci", "true"), "gatepost pause --reason 'the disk is full'", PUSH, PASS],
  "The hook is disabled, or came later": [
    INIT,
    add("ci", "true"),
    add("docs", "true"),
    "gatepost hook disable docs",
    PUSH,
    PASS,
    "gatepost hook enable docs",
    add("mail", "true"),
  ],
  "The push was refused": [
    INIT,
    "gatepost hook add --type before-receive --name wall --command 'exit 1'",
    `${PUSH} || true`,
  ],
  "It was there all the time": [INIT, add("ci", "true")],
  "After a bad night": [INIT, add("ci", "exit 22"), PUSH, PASS],
};

/** Times and hashes are this time's. */
const settled = (text: string): string =>
  text.replaceAll(/(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC/g, "AT").replaceAll(/\b[0-9a-f]{12}\b/g, "SHORT");

const sections = sectionsOf("docs/why.md");

test("docs/why.md has no section that is not tried here, and none is tried that it has not", () => {
  expect(Object.keys(BEFORE)).toEqual(sections.map(({ title }) => title));
});

test.each(sections)("docs/why.md: $title", ({ title, transcripts }) => {
  const world = makeWorld();
  try {
    const server = world.bare();
    const clone = world.clone(server);
    world.commit(clone);
    world.git(["push", "-q", "origin", "HEAD:main"], { cwd: clone });
    fs.mkdirSync(world.at("bin"));
    fs.symlinkSync(program, world.at("bin", "gatepost"));
    const env = { CLONE: clone, GL_USER: "bob", PATH: `${world.at("bin")}:${world.env["PATH"]}` };
    const type = (line: string) => world.run(["sh", "-c", `exec 2>&1\n${line}`], { cwd: server, env });
    for (const line of BEFORE[title] ?? []) expect({ line, ...type(`set -e\n${line}`) }).toMatchObject({ code: 0 });
    const tip = world.git(["rev-parse", "HEAD"], { cwd: clone }).slice(0, 12);
    expect(transcripts.flat().length).toBeGreaterThan(0);
    for (const { typed, seen } of transcripts.flat()) {
      const step: Step = { typed, seen: seen.map(settled) };
      expectSeen(settled(type(typed.replace("41ff2a7c03b1", tip)).stdout.replaceAll(join(server, ".."), "…")), step);
    }
  } finally {
    world.remove();
  }
});
