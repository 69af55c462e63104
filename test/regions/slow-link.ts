/** A line between two regions: everything takes its time, each way, and it can be cut and mended. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class SlowLink {
  private readonly sockets = new Set<Socket>();
  private isCut = false;

  private constructor(
    private readonly server: Server,
    private readonly delayMs: number,
  ) {}

  static async to(targetPort: number, delayMs: number): Promise<SlowLink> {
    const server = createServer((near) => link.join(near, connect(targetPort, '127.0.0.1')));
    const link = new SlowLink(server, delayMs);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return link;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What is under way is lost, and nobody gets through. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.server.close(closed));
  }

  private join(near: Socket, far: Socket): void {
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
      socket.on('data', (bytes) => setTimeout(() => other.write(bytes), this.delayMs));
    }
    if (this.isCut) near.destroy();
  }
}
