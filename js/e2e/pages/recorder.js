// Sees every socket of the page before anybody else does, and keeps what came in order:
// frames as they were on the wire, beside what handlers and listeners were told.

/** @type {import("../kit/record.ts").PageRecord} */
export const record = { sockets: [], entries: [], keep: true, pings: { sent: 0, answered: 0 } };

/** @param {import("../kit/record.ts").Entry} entry */
export function note(entry) {
  if (record.keep) record.entries.push(entry);
}

globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols);
    const id = record.sockets.length;
    const socket = { url: String(url), at: Date.now(), opened: false, closed: null };
    record.sockets.push(socket);
    note({ kind: "socket", socket: id });
    this.addEventListener("open", () => {
      socket.opened = true;
    });
    this.addEventListener("message", ({ data }) => {
      if (data === "pong") record.pings.answered++;
      else note({ kind: "frame", socket: id, frame: JSON.parse(data) });
    });
    this.addEventListener("close", ({ code, reason }) => {
      socket.closed = { code, reason };
      note({ kind: "close", socket: id, code });
    });
  }

  send(data) {
    if (data === "ping") record.pings.sent++;
    super.send(data);
  }
};
