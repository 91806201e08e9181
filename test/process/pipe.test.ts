import { closeSync, fstatSync, readFileSync, readlinkSync, readSync, writeSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { closePipe, type Pipe, preparePipes, releasePipes, takePipes } from "../../src/process/pipe.ts";

afterEach(async () => {
  await preparePipes();
  releasePipes();
});

const link = (descriptor: number): string => readlinkSync(`/proc/self/fd/${descriptor}`);

test("a pipe carries bytes from its write end to its read end, and ends when that is closed", async () => {
  const [pipe] = (await takePipes(1)) as [Pipe];
  writeSync(pipe.writeEnd, "a list");
  closeSync(pipe.writeEnd);
  const bytes = Buffer.alloc(100);
  expect(bytes.toString("latin1", 0, readSync(pipe.readEnd, bytes))).toBe("a list");
  expect(readSync(pipe.readEnd, bytes)).toBe(0);
  closeSync(pipe.readEnd);
});

test("a pipe has no name, and opening it by /proc after its writer has gone does not wait", async () => {
  const [pipe] = (await takePipes(1)) as [Pipe];
  expect(fstatSync(pipe.readEnd).isFIFO()).toBe(true);
  expect(link(pipe.readEnd)).toMatch(/^pipe:\[\d+\]$/);
  closeSync(pipe.writeEnd);
  expect(readFileSync(`/proc/self/fd/${pipe.readEnd}`, "latin1")).toBe("");
  closeSync(pipe.readEnd);
});

test("no pipe is handed out twice, however many ask at once", async () => {
  const pipes = (await Promise.all(Array.from({ length: 60 }, () => takePipes(2)))).flat();
  expect(new Set(pipes.map(({ readEnd }) => link(readEnd))).size).toBe(120);
  for (const pipe of pipes) {
    expect(link(pipe.writeEnd)).toBe(link(pipe.readEnd));
    closePipe(pipe);
  }
});
