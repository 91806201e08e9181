/** `gatepost why` of check-ins in a Fossil repository. */
import { afterAll, expect, test } from "vitest";
import { enterFossil, makeFossilWorld, watchFossil } from "../helpers/fossil.ts";
import { leave } from "../helpers/served.ts";
import { answer, ask, short } from "../helpers/why.ts";

const world = makeFossilWorld();
enterFossil(world);
afterAll(() => leave(world));

test("a check-in is followed by Fossil's own number of its receipt", async () => {
  const r = await watchFossil(world);
  r.hook("exit 3", { name: "ci" });
  const c = world.apart(r.path);
  const server = await world.server(r.path);
  world.checkIn(c, { a: "1\n" });
  world.push(c, server.url);
  await server.stop();
  const hash = world.sql(
    r.path,
    "SELECT uuid FROM blob JOIN event ON objid=rid WHERE type='ci' ORDER BY rid DESC LIMIT 1",
  );
  expect(answer(r, 1, hash.slice(0, 10))[0]).toMatch(
    new RegExp(
      `^${short(hash)} came to \\S+ with its receipt 2, which no pass has read yet; none is running\\. Start one: gatepost backoffice$`,
    ),
  );
  await r.pass();
  expect(answer(r, 1, hash.slice(0, 10))).toEqual([
    expect.stringMatching(new RegExp(`^${short(hash)} reached \\S+ at AT, pushed by alice \\(receipt 2\\)\\.$`)),
    "It is in batch 1, cut at AT.",
    "  hook 1 (ci) run a-1: exit 3, failed at AT. Again: gatepost runs replay a-1",
  ]);
  expect(answer(r, 1, "trunk").slice(1)).toEqual(answer(r, 1, hash).slice(1));
  expect(ask(r, "0000000000")).toMatchObject({ code: 3 });
});
