// Builds the site into ../dist with names that do not change, so that the same sources give the same files.
// `npm run dev` serves it with changes as they are typed, against a node at IKIGAI_URL.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const node = process.env["IKIGAI_URL"] ?? "http://127.0.0.1:7420";
const proxied = {
  target: node,
  changeOrigin: true,
  headers: { origin: node },
};

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: true,
    rollupOptions: {
      output: {
        entryFileNames: "assets/[name].js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
      },
    },
  },
  server: { proxy: { "/v1": proxied, "/openapi.json": proxied, "/metrics": proxied } },
});
