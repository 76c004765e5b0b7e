import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Problem } from "./api/http";
import { App } from "./app";
import "./ui/base.css";
import { LocaleProvider } from "./ui/locale";

const READ_RETRIES = 2;

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The server may well be this machine, so being offline says nothing about reaching it.
      networkMode: "always",
      retry: (failures, error) => failures < READ_RETRIES && !(error instanceof Problem && error.status < 500),
    },
    mutations: { networkMode: "always" },
  },
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <LocaleProvider>
          <App />
        </LocaleProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
