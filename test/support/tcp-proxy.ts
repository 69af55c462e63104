/**
 * A network between the service and a real Redis that can misbehave on purpose: it loses the reply of a command
 * that Redis has run, keeps commands back and lets them arrive late, hands on replies late, or swallows everything
 * without a word. It also counts how often somebody waited for Redis.
 */
import { randomUUID } from 'node:crypto';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually } from './eventually.js';
import { endOfReply, readCommand, type Command } from './resp.js';

export type Matcher = (command: Command) => boolean;

/** Commands that are kept back. */
export interface Hold {
  /** The matching command is here, and has not gone on. */
  readonly caught: Promise<void>;
  /** @returns when at least this many commands are kept back */
  untilHeld(count: number): Promise<void>;
  /** Lets this many commands through; without a number all, and those to come. They go in one piece. */
  release(count?: number): void;
}

interface Trap {
  readonly matches: Matcher;
  readonly spring: (link: Link, bytes: Buffer) => void;
}

export class TcpProxy {
  /** How much later than it came each reply is handed on. */
  delayMs = 0;
  /** A connection that asks for this gets no answer any more, to this or anything after it. */
  silences: Matcher | null = null;
  private readonly links = new Set<Link>();
  private trap: Trap | null = null;
  private readonly rounds = new RoundTrips();

  private constructor(
    private readonly server: Server,
    private readonly targetPort: number,
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, targetPort);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** @returns when Redis has run the next command that matches; its reply is lost and the connection cut */
  loseReplyOf(matches: Matcher): Promise<void> {
    return new Promise((resolve) => {
      this.trap = { matches, spring: (link, bytes) => link.runAndCut(bytes, resolve) };
    });
  }

  /** Keeps back the next command that matches, and all that follow it on its connection. */
  holdFrom(matches: Matcher): Hold {
    let held: Link | undefined;
    const caught = new Promise<void>((resolve) => {
      const spring = (link: Link, bytes: Buffer): void => {
        held = link;
        link.hold(bytes);
        resolve();
      };
      this.trap = { matches, spring };
    });
    return {
      caught,
      untilHeld: async (count) => {
        await caught;
        await held?.untilHeld(count);
      },
      release: (count) => held?.release(count),
    };
  }

  /**
   * How many times `work` waited for Redis, one time after the other; commands sent side by side are one. It needs a
   * `delayMs`: what belongs together must be here before the first reply goes back.
   * @param ignored is done in the background
   */
  async roundTripsOf<T>(
    work: () => Promise<T>,
    ignored: Matcher,
  ): Promise<{ result: T; roundTrips: number }> {
    // What was asked before, and is not waited for, is over first.
    await eventually(() => !this.rounds.areUnderWay);
    this.rounds.begin(ignored);
    const result = await work();
    return { result, roundTrips: this.rounds.count };
  }

  /** The connections of this moment stay open, but nothing comes through them any more; new ones work. */
  blackHole(): void {
    for (const link of this.links) link.swallow();
  }

  async stop(): Promise<void> {
    for (const link of this.links) link.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** @returns whether the command was dealt with, so that it must not be passed on */
  takes(link: Link, command: Command, bytes: Buffer): boolean {
    if (this.silences?.(command)) {
      link.swallow();
      return true;
    }
    const trap = this.trap;
    if (!trap?.matches(command)) return false;
    this.trap = null;
    trap.spring(link, bytes);
    return true;
  }

  private accept(client: Socket): void {
    const link = new Link(client, connect(this.targetPort, '127.0.0.1'), this, this.rounds);
    this.links.add(link);
    link.onceOver(() => this.links.delete(link));
  }
}

/** A round trip begins with the first command after a reply. */
class RoundTrips {
  count = 0;
  areUnderWay = false;
  private ignored: Matcher = () => true;

  begin(ignored: Matcher): void {
    this.count = 0;
    this.ignored = ignored;
  }

  /** @returns whether it counts */
  asks(command: Command): boolean {
    if (this.ignored(command)) return false;
    if (!this.areUnderWay) this.count++;
    this.areUnderWay = true;
    return true;
  }

  answered(): void {
    this.areUnderWay = false;
  }
}

/** One connection of the service and its way on to Redis. */
class Link {
  private unread: Buffer = Buffer.alloc(0);
  private held: Buffer[] | null = null;
  private onHeld: (() => void) | null = null;
  private awaited: { text: string; seen: string; arrived: () => void } | null = null;
  private silent = false;
  /** Of each command without a reply so far, whether it counts as a round trip. */
  private readonly unanswered: boolean[] = [];
  private undelivered: Buffer = Buffer.alloc(0);
  private lastDueMs = 0;
  /** Replies that are kept back, the oldest first. */
  private readonly late: Buffer[] = [];

  constructor(
    private readonly client: Socket,
    private readonly redis: Socket,
    private readonly proxy: TcpProxy,
    private readonly rounds: RoundTrips,
  ) {
    client.setNoDelay(true).on('data', (bytes: Buffer) => this.fromClient(bytes));
    redis.setNoDelay(true).on('data', (bytes: Buffer) => this.fromRedis(bytes));
    for (const socket of [client, redis]) socket.on('error', () => undefined);
    redis.on('close', () => this.silent || this.cut());
    // What is on its way arrives, whether or not its sender still waits for the answer.
    client.on('close', () => this.held ?? this.cut());
  }

  onceOver(then: () => void): void {
    this.redis.once('close', then);
  }

  /** An ECHO behind the command tells when Redis has run it; no reply is let through from here on. */
  runAndCut(bytes: Buffer, done: () => void): void {
    const text = randomUUID();
    const arrived = (): void => {
      this.cut();
      done();
    };
    this.awaited = { text, seen: '', arrived };
    this.redis.write(
      Buffer.concat([bytes, Buffer.from(`*2\r\n$4\r\nECHO\r\n$${text.length}\r\n${text}\r\n`)]),
    );
  }

  hold(bytes: Buffer): void {
    this.held = [bytes];
  }

  untilHeld(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.onHeld = () => {
        if ((this.held?.length ?? 0) >= count) resolve();
      };
      this.onHeld();
    });
  }

  release(count?: number): void {
    const held = this.held ?? [];
    this.redis.write(Buffer.concat(held.slice(0, count)));
    this.held = count === undefined ? null : held.slice(count);
    if (!this.held && this.client.destroyed) this.redis.end();
  }

  swallow(): void {
    this.silent = true;
  }

  cut(): void {
    this.client.destroy();
    this.redis.destroy();
  }

  private fromClient(bytes: Buffer): void {
    if (this.silent) return;
    this.unread = Buffer.concat([this.unread, bytes]);
    for (let next = readCommand(this.unread); next; next = readCommand(this.unread)) {
      const whole = this.unread.subarray(0, next.length);
      this.unread = this.unread.subarray(next.length);
      this.pass(next.command, whole);
    }
  }

  private pass(command: Command, bytes: Buffer): void {
    if (this.silent) return;
    this.unanswered.push(this.rounds.asks(command));
    if (this.held) {
      this.held.push(bytes);
      this.onHeld?.();
    } else if (!this.proxy.takes(this, command, bytes)) {
      this.redis.write(bytes);
    }
  }

  private fromRedis(bytes: Buffer): void {
    if (this.silent) return;
    if (!this.awaited) return this.answer(bytes);
    this.awaited.seen += bytes.toString('latin1');
    if (this.awaited.seen.includes(this.awaited.text)) this.awaited.arrived();
  }

  /** In order, whatever the delay has been changed to meanwhile. */
  private answer(bytes: Buffer): void {
    const nowMs = performance.now();
    this.lastDueMs = Math.max(this.lastDueMs, nowMs + this.proxy.delayMs);
    this.late.push(bytes);
    if (this.lastDueMs <= nowMs && this.late.length === 1) this.deliverNext();
    else setTimeout(() => this.deliverNext(), this.lastDueMs - nowMs).unref();
  }

  /** Timers that are due together go off in any order: each delivers what has waited longest. */
  private deliverNext(): void {
    const bytes = this.late.shift();
    if (!bytes || this.silent || this.awaited) return;
    this.countReplies(bytes);
    this.client.write(bytes);
  }

  private countReplies(bytes: Buffer): void {
    this.undelivered = Buffer.concat([this.undelivered, bytes]);
    for (let end = endOfReply(this.undelivered); end !== null; end = endOfReply(this.undelivered)) {
      this.undelivered = this.undelivered.subarray(end);
      if (this.unanswered.shift()) this.rounds.answered();
    }
  }
}
