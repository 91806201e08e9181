import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/helpers/closing-line.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two cores, and most tests wait on processes of their own rather than on the processor.
    maxWorkers: 4,
  },
});
