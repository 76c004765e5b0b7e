export type Liveness = "connecting" | "live" | "polling" | "asking";

const RECONNECT_MIN_MS = 1_000;
const RECONNECT_MAX_MS = 15_000;
/** A stream that was refused so often before it ever stood is not offered here. */
const MAX_REFUSALS = 3;

interface Handlers {
  onMessage: (data: string) => void;
  onState: (state: Liveness) => void;
}

/**
 * Follows a server-sent event stream until the returned function is called. While the stream is down the state is
 * `polling`, and the caller asks by itself; where there are no streams (behind API Gateway) it stays `asking`.
 */
export function follow(url: string, { onMessage, onState }: Handlers): () => void {
  let source: EventSource | undefined;
  let timer: number | undefined;
  let waitMs = RECONNECT_MIN_MS;
  let refusals = 0;
  let stood = false;

  const connect = () => {
    source = new EventSource(url);
    const take = (event: MessageEvent<string>) => onMessage(event.data);
    source.addEventListener("order", take);
    source.addEventListener("message", take);
    source.addEventListener("open", () => {
      waitMs = RECONNECT_MIN_MS;
      stood = true;
      onState("live");
    });
    source.addEventListener("error", () => {
      // A dropped connection is taken up again by the browser; a refused one is not.
      const refused = source?.readyState === EventSource.CLOSED;
      refusals += refused ? 1 : 0;
      const offered = stood || refusals < MAX_REFUSALS;
      onState(offered ? "polling" : "asking");
      if (!refused || !offered) return;
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
