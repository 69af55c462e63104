/** A TCP proxy on loopback whose replies can be late, or never come: for stores that are slow, or silent. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

class Connection {
  /** From here on nothing is answered, and the peer is told nothing of it. */
  silent = false;
  private lastDueMs = 0;

  constructor(
    readonly client: Socket,
    readonly server: Socket,
    private readonly proxy: TcpProxy,
  ) {
    client.on('data', (chunk) => this.ask(chunk));
    server.on('data', (chunk) => this.answer(chunk));
    client.on('error', () => undefined);
    server.on('error', () => undefined);
    client.on('close', () => server.destroy());
    server.on('close', () => {
      if (!this.silent) client.destroy();
    });
  }

  end(): void {
    this.client.destroy();
    this.server.destroy();
  }

  private ask(chunk: Buffer): void {
    if (this.proxy.silences?.test(chunk.toString('latin1'))) this.silent = true;
    if (!this.silent) this.server.write(chunk);
  }

  /** In order, whatever the delay has been changed to meanwhile. */
  private answer(chunk: Buffer): void {
    const nowMs = performance.now();
    this.lastDueMs = Math.max(this.lastDueMs, nowMs + this.proxy.delayMs);
    const deliver = (): void => {
      if (!this.silent) this.client.write(chunk);
    };
    if (this.lastDueMs <= nowMs) deliver();
    else setTimeout(deliver, this.lastDueMs - nowMs);
  }
}

export class TcpProxy {
  /** How much later than it came each reply is handed on. */
  delayMs = 0;
  /** A connection that asks for something like this gets no answer any more, to this or anything after it. */
  silences: RegExp | null = null;
  private readonly connections = new Set<Connection>();
  private readonly listener: Server;

  private constructor(targetPort: number) {
    this.listener = createServer((client) => {
      const connection = new Connection(client, connect(targetPort, '127.0.0.1'), this);
      this.connections.add(connection);
      client.on('close', () => this.connections.delete(connection));
    });
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    await new Promise<void>((resolve) => proxy.listener.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  /** Those that are open now fall silent, as when a machine is switched off; new ones work. */
  silenceOpenConnections(): void {
    for (const connection of this.connections) connection.silent = true;
  }

  async stop(): Promise<void> {
    for (const connection of this.connections) connection.end();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}
