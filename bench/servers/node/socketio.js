// Socket.IO with a room per user and connection state recovery, which keeps every event for as long as a connection
// may be away.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { eventType, options, serve } from './serve.js';

const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  serveClient: false,
  connectionStateRecovery: { maxDisconnectionDuration: options().ttlMs, skipMiddlewares: true },
});

io.on('connection', (socket) => {
  if (!socket.recovered) socket.join(`user:${socket.handshake.query.user}`);
});

function broadcast(user, payload) {
  io.to(`user:${user}`).emit(eventType, { payload, timestamp: new Date().toISOString() });
}

http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  serve({ port: http.address().port, broadcast, connections: () => io.of('/').sockets.size });
});
