/** Lists that cross from one thread to another: in parts, as they are asked for. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { GatepostError } from "../../src/core/errors.ts";
import { inParts, receiveParts, sendParts } from "../../src/home/thread-stream.ts";

it("is made no faster than it is read: two parts are on their way, however long the reader takes", async () => {
  const { port1, port2 } = new MessageChannel();
  let made = 0;
  function* parts() {
    for (; made < 1000; made += 1) yield [made];
  }
  const sent = sendParts(port1, parts());
  const reader = receiveParts<number[]>(port2);
  for (let read = 0; read < 5; read += 1) {
    expect(await reader.next()).toEqual({ value: [read], done: false });
    for (let turns = 0; turns < 50; turns += 1) await turn();
    // Read, two that wait, and the one that the sender holds in its hand.
    expect(made).toBeLessThanOrEqual(read + 4);
  }
  await reader.return(undefined);
  await sent;
  expect(made).toBeLessThan(10);
});

it("lets go of its source when the reader breaks off", async () => {
  const { port1, port2 } = new MessageChannel();
  let isLeft = false;
  let made = 0;
  async function* parts() {
    try {
      for (; made < 1000; made += 1) yield ["x"];
    } finally {
      isLeft = true;
    }
  }
  const sent = sendParts(port1, parts());
  for await (const part of receiveParts<string[]>(port2)) {
    expect(part).toEqual(["x"]);
    break;
  }
  await sent;
  expect([isLeft, made < 10]).toEqual([true, true]);
});

it("fails at the reader, after what came before, with the error of its source", async () => {
  const { port1, port2 } = new MessageChannel();
  function* parts() {
    yield 1;
    throw new GatepostError("GP_VCS", "git failed.", { hint: "Look.", cause: new TypeError("why") });
  }
  void sendParts(port1, parts());
  const reader = receiveParts<number>(port2);
  expect(await reader.next()).toEqual({ value: 1, done: false });
  const error = await reader.next().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(GatepostError);
  expect(error).toMatchObject({ code: "GP_VCS", hint: "Look.", cause: { name: "TypeError", message: "why" } });
});

it("does not seem to end where its sender is gone", async () => {
  const { port1, port2 } = new MessageChannel();
  const reader = receiveParts(port2);
  const next = reader.next();
  port1.close();
  await expect(next).rejects.toMatchObject({ code: "GP_CLOSED" });
});

it("loses nothing to being cut into parts", () => {
  const values = Array.from({ length: 1000 }, (_, n) => n);
  expect([...inParts(values, 256)].map(({ length }) => length)).toEqual([256, 256, 256, 232]);
  expect([...inParts(values, 256)].flat()).toEqual(values);
  expect([...inParts([])]).toEqual([]);
});
