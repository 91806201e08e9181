import { expect, it } from "vitest";
import { readCommitWords } from "../../src/core/fossil-words.ts";

const none = { comment: null, messageFile: null, branch: null, editor: null, noPrompt: false, unasked: false };

it("the message is taken out of the words, however it is written, and all else stays as it stands", () => {
  for (const message of [["-m", "x=y"], ["--m", "x=y"], ["-comment", "x=y"], ["--comment=x=y"], ["-m=x=y"]])
    expect(readCommitWords(["--tag", "v 1", ...message, "a.c"])).toEqual({
      ...none,
      comment: "x=y",
      others: ["--tag", "v 1", "a.c"],
    });
  expect(readCommitWords(["-M", "-", "-"])).toEqual({ ...none, messageFile: "-", others: ["-"] });
  expect(readCommitWords(["--editor", "vi", "-m="])).toEqual({ ...none, editor: "vi", comment: "", others: [] });
});

it("the branch is read and passed on", () => {
  expect(readCommitWords(["-b", "feat x"])).toEqual({ ...none, branch: "feat x", others: ["-b", "feat x"] });
  expect(readCommitWords(["--branch=f"])).toEqual({ ...none, branch: "f", others: ["--branch=f"] });
});

it("a message is no option, whatever it looks like, and nothing behind two dashes is one", () => {
  expect(readCommitWords(["-m", "--no-verify"])).toEqual({ ...none, comment: "--no-verify", others: [] });
  expect(readCommitWords(["--", "-m", "x"])).toEqual({ ...none, others: ["--", "-m", "x"] });
});

it("nobody is asked with --no-verify and --dry-run, in all their forms", () => {
  for (const word of ["--no-verify", "-no-verify", "--dry-run", "-n", "--test"])
    expect(readCommitWords([word])).toEqual({ ...none, unasked: true, others: [word] });
  expect(readCommitWords(["--no-verify-comment"])).toEqual({ ...none, others: ["--no-verify-comment"] });
  expect(readCommitWords(["--no-prompt"])).toEqual({ ...none, noPrompt: true, others: ["--no-prompt"] });
});

it("what fossil refuses is left to fossil: two messages, or an option without its value", () => {
  expect(readCommitWords(["-m", "a", "--comment", "b"])).toBeNull();
  expect(readCommitWords(["a.c", "-m"])).toBeNull();
});
