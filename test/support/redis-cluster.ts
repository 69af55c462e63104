/** A Redis Cluster of three masters with a replica each, on loopback. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { eventually } from './eventually.js';
import { RedisServer } from './redis-server.js';
import { ask } from './redis-sentinel.js';

const run = promisify(execFile);

const NODES = 6;
const NODE_TIMEOUT_MS = 1500;
/** The cluster's own port is the data port plus this. */
const BUS_OFFSET = 10_000;
/** Below the ports that systems give to outgoing connections, and so is its bus port. */
const PORTS = [20_000, 22_500] as const;

const DATA_NODE = [
  '--cluster-enabled',
  'yes',
  '--cluster-node-timeout',
  String(NODE_TIMEOUT_MS),
  '--cluster-replica-validity-factor',
  '0',
  '--repl-diskless-sync-delay',
  '0',
  '--repl-ping-replica-period',
  '1',
];

export interface ClusterMaster {
  readonly id: string;
  readonly server: RedisServer;
  /** Inclusive ranges. */
  readonly slots: readonly (readonly [number, number])[];
}

export class RedisCluster {
  private readonly dead = new Set<RedisServer>();

  private constructor(readonly nodes: readonly RedisServer[]) {}

  static async start(): Promise<RedisCluster> {
    const nodes: RedisServer[] = [];
    for (let n = 0; n < NODES; n++) nodes.push(await RedisServer.start(DATA_NODE, await freePortPair()));
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']);
    const cluster = new RedisCluster(nodes);
    await cluster.untilComplete();
    return cluster;
  }

  get url(): string {
    // Three are enough to find the others by.
    const hosts = this.nodes.slice(0, 3).map(({ port }) => `127.0.0.1:${port}`);
    return `redis+cluster://${hosts.join(',')}`;
  }

  /** Masters with slots, by the word of a node that is up. */
  async masters(): Promise<ClusterMaster[]> {
    const lines = (await this.table()).filter(
      (line) => / (myself,)?master /.test(line) && !line.includes('fail'),
    );
    return lines.flatMap((line) => {
      const [id = '', address = '', , , , , , , ...ranges] = line.split(' ');
      const server = this.nodes.find(({ port }) => address.startsWith(`127.0.0.1:${port}@`));
      const slots = ranges.filter((range) => /^\d/.test(range)).map(toRange);
      return server && slots.length > 0 ? [{ id, server, slots }] : [];
    });
  }

  async masterOf(key: string): Promise<ClusterMaster> {
    const slot = await ask(this.someNode(), (client) => client.cluster('KEYSLOT', key));
    const masters = await this.masters();
    const found = masters.find(({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to));
    if (!found) throw new Error(`nobody has slot ${slot}`);
    return found;
  }

  async kill(node: RedisServer): Promise<void> {
    this.dead.add(node);
    await node.kill();
  }

  async restart(node: RedisServer): Promise<void> {
    await node.restart();
    this.dead.delete(node);
  }

  /** Hangs: connections to it stay open, and nothing is answered. */
  pause(node: RedisServer): void {
    this.dead.add(node);
    node.signal('SIGSTOP');
  }

  resume(node: RedisServer): void {
    node.signal('SIGCONT');
    this.dead.delete(node);
  }

  /** All slots are served, and not by `dead`. */
  async untilServedWithout(dead: RedisServer): Promise<void> {
    await eventually(async () => {
      const masters = await this.masters();
      return coverage(masters) === 16_384 && masters.every(({ server }) => server !== dead) && this.isOk();
    });
  }

  /** Moves `slotCount` slots, with what is in them, between masters that stay up. */
  async reshard(from: ClusterMaster, to: ClusterMaster, slotCount: number): Promise<void> {
    const address = `127.0.0.1:${from.server.port}`;
    const which = ['--cluster-from', from.id, '--cluster-to', to.id, '--cluster-slots', String(slotCount)];
    // Refused, with nothing moved, while nodes have not all heard of the last change.
    await eventually(async () => {
      await run('redis-cli', ['--cluster', 'reshard', address, ...which, '--cluster-yes']);
      return true;
    });
  }

  /** Moves one slot, with what is in it. */
  async moveSlotOf(key: string, from: ClusterMaster, to: ClusterMaster): Promise<void> {
    const slot = await ask(from.server, (client) => client.cluster('KEYSLOT', key));
    const at = (master: ClusterMaster, ...args: (string | number)[]) =>
      ask(master.server, (client) => client.call('CLUSTER', ...args));
    await at(to, 'SETSLOT', slot, 'IMPORTING', from.id);
    await at(from, 'SETSLOT', slot, 'MIGRATING', to.id);
    for (;;) {
      const keys = (await at(from, 'GETKEYSINSLOT', slot, 100)) as string[];
      if (keys.length === 0) break;
      await ask(from.server, (client) =>
        client.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5000, 'KEYS', ...keys),
      );
    }
    for (const master of [to, from]) await at(master, 'SETSLOT', slot, 'NODE', to.id);
  }

  /** Three masters with a linked replica each, and every node says that the cluster is ok. */
  async untilComplete(): Promise<void> {
    await eventually(async () => {
      const masters = await this.masters();
      if (coverage(masters) !== 16_384 || !(await this.isOk())) return false;
      const infos = await Promise.all(
        this.nodes.map((node) => ask(node, (client) => client.info('replication'))),
      );
      const linked = infos.filter((info) => info.includes('master_link_status:up')).length;
      return linked === NODES - masters.length;
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  private async isOk(): Promise<boolean> {
    const up = this.nodes.filter((node) => !this.dead.has(node));
    const states = await Promise.all(up.map((node) => ask(node, (client) => client.cluster('INFO'))));
    return states.every((state) => state.includes('cluster_state:ok'));
  }

  private async table(): Promise<string[]> {
    const text = await ask(this.someNode(), (client) => client.cluster('NODES'));
    return String(text).trim().split('\n');
  }

  private someNode(): RedisServer {
    const node = this.nodes.find((node) => !this.dead.has(node));
    if (!node) throw new Error('no node is up');
    return node;
  }
}

function toRange(text: string): [number, number] {
  const [from = '0', to = from] = text.split('-');
  return [Number(from), Number(to)];
}

function coverage(masters: readonly ClusterMaster[]): number {
  return masters.flatMap(({ slots }) => slots).reduce((sum, [from, to]) => sum + to - from + 1, 0);
}

async function freePortPair(): Promise<number> {
  const [from, to] = PORTS;
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = from + Math.floor(Math.random() * (to - from));
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) return port;
  }
  throw new Error('no two free ports');
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
