/** A Redis master with two replicas, watched by three Sentinels: failovers as they happen in production, but sooner. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './eventually.js';
import { freePort, RedisServer } from './redis-server.js';

const MASTER_NAME = 'mymaster';
const SENTINELS = 3;
const QUORUM = 2;
const DOWN_AFTER_MS = 1000;
/** Sentinel waits twice this before it tries a failed failover again. */
const FAILOVER_TIMEOUT_MS = 3000;

/** Replicas begin to copy at once, and notice quickly that a master has gone. */
const DATA_NODE = [
  '--repl-diskless-sync-delay',
  '0',
  '--repl-timeout',
  '10',
  '--repl-ping-replica-period',
  '1',
];

interface Sentinel {
  readonly port: number;
  readonly process: ChildProcess;
}

export class RedisWithSentinel {
  private constructor(
    readonly nodes: readonly RedisServer[],
    private readonly sentinels: readonly Sentinel[],
    private readonly directory: string,
  ) {}

  static async start(): Promise<RedisWithSentinel> {
    const first = await RedisServer.start(DATA_NODE);
    const replicas = await Promise.all(
      [1, 2].map(() => RedisServer.start([...DATA_NODE, '--replicaof', `127.0.0.1 ${first.port}`])),
    );
    const directory = mkdtempSync(join(tmpdir(), 'sentinel-test-'));
    const sentinels: Sentinel[] = [];
    for (let n = 0; n < SENTINELS; n++) sentinels.push(await startSentinel(directory, first.port));
    const shape = new RedisWithSentinel([first, ...replicas], sentinels, directory);
    await shape.untilComplete();
    return shape;
  }

  get url(): string {
    const hosts = this.sentinels.map(({ port }) => `127.0.0.1:${port}`);
    return `redis+sentinel://${hosts.join(',')}/${MASTER_NAME}`;
  }

  /** The master by the word of a majority of the Sentinels. */
  async master(): Promise<RedisServer> {
    const ports = await Promise.all(this.sentinels.map(({ port }) => masterPort(port)));
    const agreed = ports.find((port) => ports.filter((other) => other === port).length >= QUORUM);
    const node = this.nodes.find(({ port }) => port === agreed);
    if (!node) throw new Error('the Sentinels do not agree');
    return node;
  }

  async replicas(): Promise<RedisServer[]> {
    const master = await this.master();
    return this.nodes.filter((node) => node !== master);
  }

  /** Another node than `before` is the master, and says so itself. */
  async untilFailedOver(before: RedisServer): Promise<RedisServer> {
    await eventually(async () => {
      const now = await this.master();
      return (
        now !== before && (await ask(now, (client) => client.info('replication'))).includes('role:master')
      );
    });
    return this.master();
  }

  /**
   * `SENTINEL FAILOVER`: an operator moves the master while everything is up. Sentinel does not wait for the new
   * master to have everything, and lets the old one take writes that are then lost. An operator who knows stops
   * writes first: `pauseWrites`.
   */
  async failOver({ pauseWrites }: { pauseWrites: boolean }): Promise<void> {
    const before = await this.master();
    if (pauseWrites) await ask(before, (client) => client.client('PAUSE', 120_000, 'WRITE'));
    const { port } = this.sentinels[0] as Sentinel;
    await eventually(async () => {
      // Refused while one is under way. One that takes longer than Sentinel allows is given up, and asked for again.
      if ((await masterPort(port)) === before.port) {
        await askSentinel(port, ['failover', MASTER_NAME]).catch(() => undefined);
      }
      return (await masterPort(port)) !== before.port;
    });
    await this.untilFailedOver(before);
    if (pauseWrites) await ask(before, (client) => client.client('UNPAUSE'));
  }

  /** Every node is up, both replicas follow the master, and the Sentinels know all of it and each other. */
  async untilComplete(): Promise<void> {
    await eventually(async () => {
      const master = await this.master();
      const infos = await Promise.all(
        (await this.replicas()).map((replica) => ask(replica, (client) => client.info('replication'))),
      );
      const follow = (info: string) =>
        info.includes(`master_port:${master.port}`) &&
        info.includes('master_link_status:up') &&
        info.includes('master_sync_in_progress:0');
      if (!infos.every(follow)) return false;
      const written = (client: Redis) =>
        client.set('complete', '1', 'PX', 1000).then(() => client.wait(2, 500));
      return (await ask(master, written)) === 2;
    });
    await eventually(async () => {
      const states = await Promise.all(this.sentinels.map(({ port }) => masterState(port)));
      return states.every(
        (state) =>
          state['num-slaves'] === '2' &&
          state['num-other-sentinels'] === String(SENTINELS - 1) &&
          state['flags'] === 'master',
      );
    });
  }

  /** Starts a killed node as a replica; it has kept nothing, and must not be taken for a master. */
  async rejoin(node: RedisServer): Promise<void> {
    const master = await this.master();
    await node.restart();
    await ask(node, (client) => client.replicaof('127.0.0.1', master.port));
  }

  async stop(): Promise<void> {
    for (const { process } of this.sentinels) process.kill('SIGKILL');
    await Promise.all(this.nodes.map((node) => node.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** One command to one server, over a connection of its own. */
export async function ask<T>(
  server: { client(): Redis },
  command: (client: Redis) => Promise<T>,
): Promise<T> {
  const client = server.client();
  client.on('error', () => undefined);
  try {
    return await command(client);
  } finally {
    client.disconnect();
  }
}

async function startSentinel(directory: string, masterAt: number): Promise<Sentinel> {
  const port = await freePort();
  const file = join(directory, `sentinel-${port}.conf`);
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${directory}`,
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterAt} ${QUORUM}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_TIMEOUT_MS}`,
    `sentinel parallel-syncs ${MASTER_NAME} 2`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const command = ['--pdeathsig', 'KILL', 'redis-sentinel', file];
  const process = spawn('setpriv', command, { stdio: 'ignore' });
  await eventually(async () => (await masterPort(port)) === masterAt);
  return { port, process };
}

async function masterPort(sentinelPort: number): Promise<number> {
  const answer = await askSentinel(sentinelPort, ['get-master-addr-by-name', MASTER_NAME]);
  return Number((answer as string[])[1]);
}

async function masterState(sentinelPort: number): Promise<Record<string, string>> {
  const flat = (await askSentinel(sentinelPort, ['master', MASTER_NAME])) as string[];
  return Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : [])));
}

async function askSentinel(port: number, args: string[]): Promise<unknown> {
  const client = new Redis({ port, retryStrategy: null, protocol: 2, enableReadyCheck: false });
  client.on('error', () => undefined);
  try {
    return await client.call('SENTINEL', ...args);
  } finally {
    client.disconnect();
  }
}
