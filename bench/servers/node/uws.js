// µWebSockets.js with a topic per user: its publish frames an event once in C++ and gathers what one turn of the event
// loop publishes. It keeps nothing for later.
import uWS from 'uwebsockets';
import { eventType, serve } from './serve.js';

let connections = 0;

const app = uWS.App().ws('/*', {
  compression: uWS.DISABLED,
  idleTimeout: 60, // with automatic pings
  upgrade: (res, req, context) =>
    res.upgrade(
      { user: req.getQuery('user') },
      req.getHeader('sec-websocket-key'),
      req.getHeader('sec-websocket-protocol'),
      req.getHeader('sec-websocket-extensions'),
      context,
    ),
  open: (ws) => {
    connections++;
    ws.subscribe(`user:${ws.getUserData().user}`);
  },
  close: () => connections--,
});

function broadcast(user, payload) {
  app.publish(
    `user:${user}`,
    JSON.stringify({ type: eventType, payload, timestamp: new Date().toISOString() }),
  );
}

app.listen('127.0.0.1', 0, (socket) => {
  serve({ port: uWS.us_socket_local_port(socket), broadcast, connections: () => connections });
});
