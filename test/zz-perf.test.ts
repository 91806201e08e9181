import { expect, test, afterAll } from "vitest";
import { openFossil } from "/work/main/src/vcs/fossil.ts";
import { enterFossil, incompletePush, makeFossilWorld, manyFiles } from "/work/main/test/helpers/fossil.ts";
const world = makeFossilWorld(); enterFossil(world); afterAll(() => world.remove());
test("x", async () => {
  const { file } = incompletePush(world);
  world.sql(file, "UPDATE blob SET rid = 999999 WHERE 0");
  const since = (await openFossil(file).arrivals(null, [])).watermark;
  manyFiles(world, file);
  const { arrivals } = await openFossil(file).arrivals(since, []);
  const spans = arrivals.map(({ rcvid, rows }) => ({ after: rcvid - 1, upto: rcvid, rows }));
  const now = (await openFossil(file).arrivals(since, [])).watermark;
  for (const s of [[], spans]) for (let i = 0; i < 3; i++) { const t = performance.now(); await openFossil(file).arrivals(now, s); console.log(s.length, performance.now() - t); }
});
