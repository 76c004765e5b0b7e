import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env["COMANDA_URL"] ?? "http://127.0.0.1:8700";
const served = ["/place-order", "/v1", "/openapi.json", "/docs", "/healthz", "/readyz"];

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // A strict content security policy forbids data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licences.txt" },
  },
  test: { include: ["src/**/*.test.ts"] },
  server: { proxy: Object.fromEntries(served.map((path) => [path, server])) },
});
