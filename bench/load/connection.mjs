// One keep-alive connection on a raw socket: sends prepared bytes, reads one answer at a time. Raw, because a client
// library would cost more processor time than the servers that are measured.
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');
const EMPTY = Buffer.alloc(0);

export class Connection {
  /** Free for whoever drives the connection: what it asked, and when. */
  startedAt = 0;
  kind = 0;
  context = undefined;
  #socket;
  #pending = EMPTY;
  #onAnswer;

  constructor(socket, { onAnswer, onBroken }) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => onBroken(this));
  }

  /** @param callbacks onAnswer(connection, status, body) and onBroken(connection) */
  static open(port, callbacks) {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new Connection(socket, callbacks));
      });
    });
  }

  send(bytes) {
    this.#socket.write(bytes);
  }

  close() {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #read(chunk) {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const headEnd = bytes.indexOf(HEAD_END);
    const bodyStart = headEnd + HEAD_END.length;
    const end = headEnd < 0 ? -1 : endOfAnswer(bytes, headEnd, bodyStart);
    if (end < 0 || end > bytes.length) {
      this.#pending = bytes;
      return;
    }
    this.#pending = EMPTY;
    const status = (bytes[9] - 48) * 100 + (bytes[10] - 48) * 10 + (bytes[11] - 48);
    this.#onAnswer(this, status, bytes.subarray(bodyStart, end));
  }
}

/** @returns where the answer ends, or -1 while that cannot be told */
function endOfAnswer(bytes, headEnd, bodyStart) {
  const head = bytes.latin1Slice(0, headEnd);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length) return bodyStart + Number(length[1]);
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return bodyStart;
  // A single answer is on its way, so its last chunk ends what has arrived. (The bodies are small JSON texts.)
  return bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) ? bytes.length : -1;
}

/** So long a server has to see its new connections before the first request comes. */
const SETTLE_MS = 100;

/** Opens many connections, a hundred at a time: a server's backlog is short. */
export async function openConnections(port, count, callbacks) {
  const open = [];
  while (open.length < count) {
    const batch = Math.min(100, count - open.length);
    open.push(...(await Promise.all(Array.from({ length: batch }, () => Connection.open(port, callbacks)))));
  }
  await pause(SETTLE_MS);
  return open;
}
