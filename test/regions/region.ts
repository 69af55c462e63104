/** One region of the simulation: a Redis, two instances of the service on it, and the bridge that brings it the other's feed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { RedisServer } from '../support/redis-server.js';
import { TestService } from '../support/test-service.js';
import { SlowLink } from './slow-link.js';

/** Each way: about that between Europe and the east of America. */
const DELAY_MS = 80;

export class Region {
  private bridge: ChildProcess | undefined;
  /** What the bridge has said, line by line. */
  bridgeLog = '';

  private constructor(
    private readonly redis: RedisServer,
    readonly instances: readonly [TestService, TestService],
    /** How the other region reaches this one's Redis. */
    readonly link: SlowLink,
  ) {}

  static async start(): Promise<Region> {
    const redis = await RedisServer.start();
    const env = { STORE_URL: redis.url };
    const instances = [await TestService.start(env), await TestService.start(env)] as const;
    return new Region(redis, instances, await SlowLink.to(redis.port, DELAY_MS));
  }

  get service(): TestService {
    return this.instances[0];
  }

  /** Runs in this region, and reads over the line. */
  follow(other: Region, { tenants }: { tenants: boolean }): void {
    const env = {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      BRIDGE_FROM: other.link.url,
      BRIDGE_TO: this.redis.url,
      BRIDGE_TENANTS: String(tenants),
    };
    const command = ['--pdeathsig', 'KILL', process.execPath, resolve('dist/bridge.js')];
    this.bridge = spawn('setpriv', command, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.bridge.stdout?.on('data', (chunk: Buffer) => (this.bridgeLog += chunk.toString()));
  }

  /** Dies in the middle of whatever it does. */
  async killBridge(): Promise<void> {
    const { bridge } = this;
    if (!bridge || bridge.exitCode !== null || bridge.signalCode !== null) return;
    const gone = new Promise((done) => bridge.once('exit', done));
    bridge.kill('SIGKILL');
    await gone;
  }

  /** How many changes its feed has ever had. */
  async announced(): Promise<number> {
    const client = this.redis.client();
    try {
      return Number(await client.hget('{changes}:state', 'sequence'));
    } finally {
      client.disconnect();
    }
  }

  async stop(): Promise<void> {
    await this.killBridge();
    await Promise.all(this.instances.map((instance) => instance.stop()));
    await this.link.stop();
    await this.redis.stop();
  }
}
