import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/helpers/closing-line.ts"],
    // Far beyond what any of them needs: a machine under load is slow, not wrong.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two cores, and most tests wait on processes of their own rather than on the processor.
    maxWorkers: 4,
  },
});
