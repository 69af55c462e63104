/** A real Prometheus on loopback that scrapes what it is told to, for tests that ask what an operator would see. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from './redis-server.js';
import { eventually } from './eventually.js';

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Rule {
  readonly type: 'alerting' | 'recording';
  readonly name: string;
  readonly query: string;
  readonly health: string;
  readonly lastError?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export class Prometheus {
  private constructor(
    private readonly url: string,
    private readonly directory: string,
    private readonly child: ChildProcess,
  ) {}

  /** @param targets host and port of each instance @param ruleFiles as paths from the repository's root */
  static async start(targets: readonly string[], ruleFiles: readonly string[] = []): Promise<Prometheus> {
    const directory = mkdtempSync(join(tmpdir(), 'prometheus-test-'));
    const port = await freePort();
    // JSON is YAML.
    const config = {
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' },
      rule_files: ruleFiles.map((file) => resolve(file)),
      scrape_configs: [
        { job_name: 'session-service', scrape_timeout: '500ms', static_configs: [{ targets }] },
      ],
    };
    writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(config));
    const args = [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'prometheus', ...args], { stdio: 'ignore' });
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, directory, child);
    await eventually(async () => (await fetch(`${prometheus.url}/-/ready`)).ok);
    return prometheus;
  }

  /** An instant query. @throws Error in Prometheus' words when it does not understand it */
  async query(expression: string): Promise<Sample[]> {
    const { result } = await this.get<{
      result: { metric: Record<string, string>; value: [number, string] }[];
    }>(`query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  async rules(): Promise<Rule[]> {
    const { groups } = await this.get<{ groups: { rules: Rule[] }[] }>('rules');
    return groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    const gone = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await gone;
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async get<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.url}/api/v1/${path}`);
    const body = (await answer.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(body.error);
    return body.data;
  }
}
