import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { follow, type Liveness } from "./live";

const sources: Fake[] = [];

class Fake extends EventTarget {
  static readonly CLOSED = 2;
  readyState = 0;
  constructor() {
    super();
    sources.push(this);
  }
  close() {
    this.readyState = Fake.CLOSED;
  }
  tell(event: "open" | "error", readyState: number) {
    this.readyState = readyState;
    this.dispatchEvent(new Event(event));
  }
}

beforeEach(() => {
  sources.length = 0;
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", Fake);
  vi.stubGlobal("window", globalThis);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function run(...events: ["open" | "error", number][]): { states: Liveness[]; opened: number } {
  const states: Liveness[] = [];
  const stop = follow("/events", { onMessage: () => undefined, onState: (state) => states.push(state) });
  for (const [event, readyState] of events) {
    sources.at(-1)?.tell(event, readyState);
    vi.runAllTimers();
  }
  stop();
  return { states, opened: sources.length };
}

test("where streams are refused the page stops trying", () => {
  const refused: ["error", number][] = [["error", 2], ["error", 2], ["error", 2]];
  expect(run(...refused)).toEqual({ states: ["connecting", "polling", "polling", "asking"], opened: 3 });
});

test("a stream that stood once is taken up again", () => {
  const { states, opened } = run(["open", 1], ["error", 2], ["error", 2], ["error", 2], ["error", 2]);
  expect(states).toEqual(["connecting", "live", "polling", "polling", "polling", "polling"]);
  expect(opened).toBe(5);
});
