import type { ProblemDetails } from "./types";

/** How long a call may take before it counts as unreachable. */
export const TIMEOUT_MS = 20_000;

/** The server answered, and refused (RFC 9457). */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly pointer: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(details: Partial<ProblemDetails> & { status: number }, retryAfterMs?: number) {
    const detail = details.detail ?? details.title ?? `HTTP ${details.status}`;
    super(detail);
    this.name = "Problem";
    this.status = details.status;
    this.code = details.code ?? `http-${details.status}`;
    this.detail = detail;
    this.pointer = details.pointer ?? undefined;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer came: the request may or may not have had its effect. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super("the server did not answer", { cause });
    this.name = "Unreachable";
  }
}

interface Options {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  const language = document.documentElement.lang;
  if (language) headers["Accept-Language"] = language;
  const init: RequestInit = { method, headers, signal: deadline(options.signal) };
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(options.body);
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, init);
    text = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable(error);
  }
  if (!response.ok) throw problemOf(response, text);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** The entity tag of a revision, as `If-Match` wants it. */
export const ifMatch = (revision: number): Record<string, string> => ({ "If-Match": `"${revision}"` });

export function withToken(path: string, token: string | null): string {
  return token === null ? path : `${path}?t=${encodeURIComponent(token)}`;
}

function deadline(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

function problemOf(response: Response, text: string): Problem {
  const seconds = Number(response.headers.get("Retry-After"));
  const retryAfterMs = seconds > 0 ? seconds * 1000 : undefined;
  try {
    const details = JSON.parse(text) as Partial<ProblemDetails>;
    return new Problem({ ...details, status: response.status }, retryAfterMs);
  } catch {
    return new Problem({ status: response.status, title: response.statusText }, retryAfterMs);
  }
}
