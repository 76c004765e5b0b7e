export type Liveness = "connecting" | "live" | "polling";

const RECONNECT_MIN_MS = 1_000;
const RECONNECT_MAX_MS = 15_000;

interface Handlers {
  onMessage: (data: string) => void;
  onState: (state: Liveness) => void;
}

/**
 * Follows a server-sent event stream until the returned function is called. While the stream is down the state is
 * `polling`, and the caller asks by itself.
 */
export function follow(url: string, { onMessage, onState }: Handlers): () => void {
  let source: EventSource | undefined;
  let timer: number | undefined;
  let waitMs = RECONNECT_MIN_MS;

  const connect = () => {
    source = new EventSource(url);
    const take = (event: MessageEvent<string>) => onMessage(event.data);
    source.addEventListener("order", take);
    source.addEventListener("message", take);
    source.addEventListener("open", () => {
      waitMs = RECONNECT_MIN_MS;
      onState("live");
    });
    source.addEventListener("error", () => {
      onState("polling");
      // A dropped connection is taken up again by the browser; a refused one is not.
      if (source?.readyState !== EventSource.CLOSED) return;
      timer = window.setTimeout(connect, waitMs);
      waitMs = Math.min(waitMs * 2, RECONNECT_MAX_MS);
    });
  };

  onState("connecting");
  connect();
  return () => {
    window.clearTimeout(timer);
    source?.close();
  };
}
