// Compiles the tests of what decides and draws nothing, so that `node --test` can run them.
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    ssr: true,
    outDir: "node_modules/.cache/test",
    emptyOutDir: true,
    target: "node20",
    rollupOptions: { input: ["test/words.test.ts"], output: { entryFileNames: "[name].mjs" } },
  },
});
