/** What stands behind a gateway: an application that answers with what it was sent. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly method: string;
  readonly url: string;
  /** By lower-case names; one that came twice is joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class Application {
  private constructor(private readonly server: Server) {}

  /** `/status/404` is answered with 404. */
  static async start(): Promise<Application> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headersDistinct } = request;
        const headers = Object.fromEntries(
          Object.entries(headersDistinct).map(([name, values]) => [name, (values ?? []).join(', ')]),
        );
        const received: Received = { method, url, headers, body: Buffer.concat(chunks).toString() };
        response.writeHead(Number(/^\/status\/(\d+)/.exec(url)?.[1] ?? 200), {
          'content-type': 'application/json',
        });
        response.end(JSON.stringify(received));
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return new Application(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
