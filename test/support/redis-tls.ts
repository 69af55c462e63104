/** A Redis that speaks TLS under a certificate of our own making, and wants a password. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { freePort, RedisServer } from './redis-server.js';

/** Has what a URL must escape. */
const PASSWORD = 'p@ss/word:1';

export class RedisWithTls {
  private constructor(
    readonly server: RedisServer,
    private readonly tlsPort: number,
    private readonly directory: string,
  ) {}

  static async start(): Promise<RedisWithTls> {
    const directory = mkdtempSync(join(tmpdir(), 'tls-test-'));
    makeAuthority(directory, 'ca');
    makeAuthority(directory, 'other-ca');
    makeCertificate(directory);
    const tlsPort = await freePort();
    const file = (name: string) => join(directory, name);
    const server = await RedisServer.start([
      '--requirepass',
      PASSWORD,
      '--tls-port',
      String(tlsPort),
      '--tls-auth-clients',
      'no',
      '--tls-cert-file',
      file('redis.crt'),
      '--tls-key-file',
      file('redis.key'),
      '--tls-ca-cert-file',
      file('ca.crt'),
    ]);
    return new RedisWithTls(server, tlsPort, directory);
  }

  get url(): string {
    return this.urlWith(PASSWORD);
  }

  urlWith(password: string): string {
    return `rediss://:${encodeURIComponent(password)}@127.0.0.1:${this.tlsPort}`;
  }

  /** The authority that signed the server's certificate. */
  get caFile(): string {
    return join(this.directory, 'ca.crt');
  }

  /** An authority that has signed nothing here. */
  get otherCaFile(): string {
    return join(this.directory, 'other-ca.crt');
  }

  /** What NODE_EXTRA_CA_CERTS does for a process at its start. @returns how to undo it */
  trustHere(): () => void {
    const before = getCACertificates('default');
    setDefaultCACertificates([...before, readFileSync(this.caFile, 'utf8')]);
    return () => setDefaultCACertificates(before);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function openssl(directory: string, args: string[]): void {
  execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
}

function makeAuthority(directory: string, name: string): void {
  openssl(directory, [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
  ]);
}

function makeCertificate(directory: string): void {
  writeFileSync(join(directory, 'san.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  openssl(directory, [
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=redis',
    '-keyout',
    'redis.key',
    '-out',
    'redis.csr',
  ]);
  openssl(directory, [
    'x509',
    '-req',
    '-in',
    'redis.csr',
    '-days',
    '2',
    '-extfile',
    'san.ext',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'redis.crt',
  ]);
}
