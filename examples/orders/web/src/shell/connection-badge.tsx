import type { ConnectionState } from "@usercast/client";
import { useClient, useConnectionState } from "../hub.ts";
import { Button } from "../ui/button.tsx";

/** The hub's close code for a user with more connections than it allows: the oldest goes. */
const tooMany = 4409;

interface Words {
  tone: "good" | "wait" | "bad";
  text: string;
  more: string;
}

export function words({ phase, stale, code, reason, attempt }: ConnectionState): Words {
  const why = reason ? ` (${reason})` : "";
  switch (phase) {
    case "connected":
      return stale
        ? { tone: "wait", text: "Catching up", more: "What was missed is on its way." }
        : { tone: "good", text: "Live", more: "Every change is shown as it happens." };
    case "reconnecting":
      return {
        tone: "bad",
        text: "Offline",
        more: `The connection is lost${why}. Attempt ${attempt + 1}. Lists are fetched every 15 seconds.`,
      };
    case "closed":
      return code === tooMany
        ? { tone: "bad", text: "Paused", more: "The order book is open in too many places, so this one gave way." }
        : { tone: "bad", text: "Disconnected", more: `The server has ended the connection${why}.` };
    default:
      return { tone: "wait", text: "Connecting", more: "The connection is being made." };
  }
}

/** Whether what is shown is of this moment; and a button for who does not want to wait. */
export function ConnectionBadge() {
  const client = useClient();
  const state = useConnectionState();
  const { tone, text, more } = words(state);
  return (
    <div className="connection">
      <span
        className={`badge ${tone}`}
        role="status"
        title={more}
        data-testid="connection-badge"
        data-phase={state.phase}
      >
        <span className="dot" aria-hidden="true" />
        {text}
      </span>
      {(state.phase === "reconnecting" || state.phase === "closed") && (
        <Button className="small" onClick={() => client.reconnect()}>
          Try now
        </Button>
      )}
    </div>
  );
}
