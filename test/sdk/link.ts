/** The network between an application and the service, which can be cut and can lose an answer. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Link {
  /** What was sent, as text: requests and their headers. */
  sent = '';
  private readonly open = new Set<Socket>();
  private isCut = false;
  private losesAnswerTo: string | null = null;
  private lost: () => void = () => undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  static async to(url: string): Promise<Link> {
    const server = createServer();
    const link = new Link(server, new URL(url));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Every connection breaks, and new ones do at once. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.open) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  /** The next request with this in it reaches the service, and its answer nobody. @returns when that has happened */
  loseAnswerTo(text: string): Promise<void> {
    this.losesAnswerTo = text;
    return new Promise((resolve) => (this.lost = resolve));
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((closed) => this.server.close(closed));
  }

  private accept(client: Socket): void {
    if (this.isCut) return void client.destroy();
    const service = connect(Number(this.target.port), this.target.hostname);
    let loses = false;
    for (const [one, other] of [
      [client, service],
      [service, client],
    ] as const) {
      this.open.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.open.delete(one);
        other.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      this.sent += text;
      if (this.losesAnswerTo !== null && text.includes(this.losesAnswerTo)) {
        this.losesAnswerTo = null;
        loses = true;
      }
      service.write(bytes);
    });
    service.on('data', (bytes: Buffer) => {
      if (!loses) return void client.write(bytes);
      client.destroy();
      this.lost();
    });
  }
}
