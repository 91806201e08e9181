/** commit-msg on Fossil: `gatepost commit`, and the editor of a plain `fossil commit`. D15: Fossil never had it. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { type FossilGated, fossilGated } from "../helpers/fossil-gated.ts";

let open: FossilGated[] = [];
afterEach(() => {
  for (const { world } of open) world.remove();
  open = [];
});

/** With a hook that wants a number in the message and writes it otherwise, and an editor that types $TYPED. */
function make(checkout?: string): FossilGated & { editor: string } {
  const x = fossilGated(checkout === undefined ? {} : { checkout });
  open.push(x);
  x.hook("grep -q '#[0-9]' %A && sed -i 's/#/No. /' \"$1\"", "--type", "commit-msg", "--name", "msg");
  const editor = x.world.at("type it");
  fs.writeFileSync(
    editor,
    `#!/bin/sh\ncp "$1" ${x.world.at("shown")}\nprintf '\\n%s\\n# of no interest\\n\\n' "$TYPED" >"$1"\n`,
  );
  fs.chmodSync(editor, 0o755);
  return { ...x, editor: `'${editor}'` };
}

const kept = (x: FossilGated): string[] => x.extras().filter((name) => name.startsWith("ci-comment-"));

describe("gatepost commit", () => {
  it("asks with the message of -m, refuses, and lets a changed message be committed", () => {
    const x = make();
    x.change();
    const refused = x.gatepost(["commit", "-m", "no number"]);
    expect({ code: refused.code, count: x.count() }).toEqual({ code: 1, count: 1 });
    expect(refused.stderr).toBe(
      "gatepost: commit-msg hook 1 (msg) refused this commit. Skip this one: GATEPOST_SKIP=msg gatepost commit …\n",
    );
    expect(x.gatepost(["commit", "--comment=it's #1 of $HOME", "--tag", "v1", "a"]).code).toBe(0);
    expect(x.comment()).toBe("it's No. 1 of $HOME");
    expect(x.fossil(["tag", "list"]).stdout).toContain("v1");
    expect(x.gatepost(["runs"]).stdout).toMatch(/msg +commit on trunk by alice .* ok\n.*refused \(exit 1\)/);
  });

  it("passes a message that no hook changed on as it was given", () => {
    const x = make();
    x.gatepost(["hook", "edit", "msg", "--command", "cat %A >../seen"]);
    x.change();
    expect(x.gatepost(["commit", "-m", "two\n\nlines  "]).code).toBe(0);
    expect(x.comment()).toBe("two\n\nlines  ");
    expect(fs.readFileSync(x.world.at("seen"), "utf8")).toBe("two\n\nlines  \n");
  });

  it("reads the message from a file or from stdin, and keeps what it read where the commit fails", () => {
    const x = make();
    x.change();
    fs.writeFileSync(x.world.at("message"), "from a file #2\n");
    expect(x.gatepost(["commit", "-M", "../message"]).code).toBe(0);
    expect(x.comment()).toBe("from a file No. 2");
    x.change();
    expect(x.gatepost(["commit", "-M", "-"], { input: "from stdin #3\n" }).code).toBe(0);
    expect(x.comment()).toBe("from stdin No. 3");
    x.change();
    const { code, stderr } = x.gatepost(["commit", "-M", "-"], { input: "lost?\n" });
    expect(code).toBe(1);
    expect(stderr).toContain(`gatepost: your message is kept in ${x.checkout}/${kept(x)[0]}`);
    expect(fs.readFileSync(join(x.checkout, kept(x)[0] ?? ""), "utf8")).toBe("lost?\n");
    expect(x.gatepost(["commit", "-M", "nowhere"]).code).toBe(3);
  });

  it("asks before-commit too, after commit-msg, with the message in its description", () => {
    const x = make();
    x.hook("sed -n '/^checkin-comment/,$p' %A; exit 5", "--name", "lint");
    x.change();
    const { code, stdout, stderr } = x.gatepost(["commit", "-m", "number #4"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "checkin-comment\nnumber No. 4\n" });
    expect(stderr).toContain("GATEPOST_SKIP=lint gatepost commit …");
    expect(x.gatepost(["commit", "--no-verify", "-m", "nobody is asked"]).code).toBe(0);
    expect(x.comment()).toBe("nobody is asked");
  });

  for (const how of ["EDITOR", "VISUAL", "setting"])
    it(`lets the message be typed in the editor that ${how} names`, () => {
      const x = make("it's a checkout");
      if (how === "setting") x.fossil(["settings", "editor", x.editor]);
      const env = how === "setting" ? {} : { [how]: x.editor };
      x.change();
      const refused = x.gatepost(["commit"], { env: { ...env, TYPED: "no number" } });
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain(`gatepost: your message is kept in ${x.checkout}/${kept(x)[0]}`);
      expect(fs.readFileSync(join(x.checkout, kept(x)[0] ?? ""), "utf8")).toBe("no number\n");
      fs.rmSync(join(x.checkout, kept(x)[0] ?? ""));
      fs.mkdirSync(join(x.checkout, "sub"));
      const passed = x.gatepost(["commit"], { cwd: join(x.checkout, "sub"), env: { ...env, TYPED: "typed #5" } });
      expect({ code: passed.code, stderr: passed.stderr }).toEqual({ code: 0, stderr: "" });
      expect(x.comment()).toBe("typed No. 5");
      expect(fs.readFileSync(x.world.at("shown"), "utf8")).toMatch(/^# ADDED +a$/m);
      expect(x.extras()).toEqual([]);
    });

  it("keeps what was typed where a before-commit hook refuses", () => {
    const x = make();
    x.hook("exit 1");
    x.fossil(["settings", "editor", x.editor]);
    x.change();
    const { code, stderr } = x.gatepost(["commit"], { env: { TYPED: "typed #6" } });
    expect(code).toBe(1);
    expect(stderr).toContain(`gatepost: your message is kept in ${x.checkout}/${kept(x)[0]}`);
    expect(fs.readFileSync(join(x.checkout, kept(x)[0] ?? ""), "utf8")).toBe("typed No. 6");
    x.gatepost(["hook", "delete", "2"]);
    expect(x.gatepost(["commit", "-M", join(x.checkout, kept(x)[0] ?? ""), "--no-verify"]).code).toBe(0);
    expect(x.comment()).toBe("typed No. 6");
  });

  it("takes the message from the terminal where there is no editor, as fossil does", () => {
    const x = make();
    x.change();
    expect(x.gatepost(["commit"], { input: "by hand #7\n.\n" }).code).toBe(0);
    expect(x.comment()).toBe("by hand No. 7");
  });

  it("is fossil commit where no commit-msg hook covers the repository", () => {
    const x = make();
    x.gatepost(["hook", "delete", "msg"]);
    x.change();
    expect(x.gatepost(["commit", "-m", "plain"]).code).toBe(0);
    expect(x.gatepost(["commit", "-m", "x", "--bogus"])).toMatchObject({
      code: 1,
      stderr: "unrecognized command-line option or missing argument: --bogus\n",
    });
    expect(x.gatepost(["commit", "--help"]).stdout).toContain("Usage: gatepost commit");
  });

  it("names git commit in a Git repository", () => {
    const world = makeWorld();
    try {
      const { code, stderr } = world.gatepost(["commit", "-m", "x"], { cwd: world.workTree() });
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr:
          "gatepost: This is a Git repository, where git itself asks the gates. Nothing was done.\nUse: git commit\n",
      });
    } finally {
      world.remove();
    }
  });
});

describe("the setting editor", () => {
  const set = (x: FossilGated & { editor: string }): void => {
    x.fossil(["settings", "editor", `'${join(x.home, "shim", "fossil-editor")}' ${x.editor}`]);
  };

  it("has a plain fossil commit ask commit-msg behind the real editor", () => {
    const x = make("it's a checkout");
    set(x);
    x.change();
    const refused = x.fossil(["commit"], { env: { TYPED: "no number" } });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("GATEPOST_SKIP=msg fossil commit …");
    expect(refused.stderr).toContain("editor aborted");
    expect(refused.stderr).toContain(`your message is kept in ${x.checkout}/${kept(x)[0]}`);
    expect(x.fossil(["commit"], { env: { TYPED: "typed #8" } }).code).toBe(0);
    expect(x.comment()).toBe("typed No. 8");
    x.change();
    expect(x.gatepost(["commit"], { env: { TYPED: "typed #9" } }).code).toBe(0);
    expect(x.comment()).toBe("typed No. 9");
    expect(x.gatepost(["runs", "--json"]).stdout.match(/"id": "a-/g)).toHaveLength(3);
  });

  it("asks nobody with --no-verify, without hooks, or in a repository that is not registered", () => {
    const x = make();
    set(x);
    x.change();
    expect(x.fossil(["commit", "--no-verify"], { env: { TYPED: "unasked" } }).code).toBe(0);
    x.change();
    expect(x.fossil(["commit", "--dry-run"], { env: { TYPED: "unasked" } }).code).toBe(0);
    x.gatepost(["hook", "delete", "msg"]);
    expect(x.fossil(["commit"], { env: { TYPED: "no hooks" } }).code).toBe(0);
    expect(x.comment()).toBe("no hooks");
    const script = x.world.at("kept-script");
    fs.copyFileSync(join(x.home, "shim", "fossil-editor"), script);
    expect(x.gatepost(["uninstall", "--purge"]).stderr).toContain("its setting editor names a script of this home");
    x.fossil(["settings", "editor", `${script} ${x.editor}`]);
    x.change();
    expect(x.fossil(["commit"], { env: { TYPED: "no home" } }).code).toBe(0);
    expect(x.comment()).toBe("no home");
  });

  it("is gone past by fossil commit -m, as the documents say", () => {
    const x = make();
    set(x);
    expect(x.commit(["-m", "no number"]).code).toBe(0);
  });
});
