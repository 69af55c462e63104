/** One run of a command: its options, the service that it speaks to, and how it shows what it found. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { readEnvironment, type Environment } from '../config.js';
import { OWNER_ONLY } from '../development-secrets.js';
import { findCredential, serviceUrl, tenantOfKey, variablesFor, type KeyKind } from './credentials.js';
import { UsageError } from './failure.js';
import { Service, type Json } from './service.js';
import { printable, printableJson, Progress } from './terminal.js';

/** What every command takes. */
export interface CommonOptions {
  readonly url?: string;
  readonly apiKeyFile?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

export class Invocation {
  readonly progress = new Progress();
  private keyTenant: string | undefined;

  constructor(
    private readonly options: CommonOptions,
    readonly env: Environment,
  ) {}

  get asJson(): boolean {
    return this.options.json === true;
  }

  get apiKeyFile(): string | undefined {
    return this.options.apiKeyFile;
  }

  get url(): string {
    return serviceUrl(this.options.url, this.env);
  }

  service(kind: KeyKind): Service {
    const credential = findCredential(kind, this.options.apiKeyFile, this.env, (text) => this.warn(text));
    if (!credential) {
      const wanted = variablesFor(kind).join(' or ');
      throw new UsageError(`There is no API key: set ${wanted}, or name a file with --api-key-file.`);
    }
    this.keyTenant = tenantOfKey(credential.key);
    return new Service(this.url, credential);
  }

  /** The one that is named, or the one whose key it is. To be asked after `service`. */
  tenant(named: string | undefined): string {
    const tenantId = named ?? this.keyTenant;
    if (tenantId === undefined) throw new UsageError('Which tenant? Name it with --tenant.');
    return tenantId;
  }

  /** The answer as it came for scripts, or what `describe` makes of it for people. */
  show(answer: unknown, describe: () => string): void {
    this.print(this.asJson ? `${printableJson(answer, 2)}\n` : describe());
  }

  print(text: string): void {
    this.progress.clear();
    process.stdout.write(text);
  }

  warn(sentence: string): void {
    this.progress.clear();
    process.stderr.write(`${printable(sentence)}\n`);
  }

  /** @throws UsageError unless somebody said yes */
  async confirm(what: string): Promise<void> {
    if (this.options.yes) return;
    if (!process.stdin.isTTY || !process.stderr.isTTY) {
      throw new UsageError(`This will ${what}. Nobody can be asked here: say --yes.`);
    }
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question(`This will ${printable(what)}. Type yes to go on: `);
    terminal.close();
    if (answer.trim().toLowerCase() !== 'yes') throw new UsageError('Nothing was done.');
  }

  /**
   * Does what answers with a secret. The file is made before that, so that no secret is lost for want of one.
   * @param file null: the secret is left in the answer, which is printed
   */
  async keepSecret(file: string | undefined, member: string, work: () => Promise<Json>): Promise<Json> {
    if (file === undefined) return work();
    const open = newFile(file);
    try {
      const { [member]: secret, ...rest } = await work();
      writeSync(open, `${String(secret)}\n`);
      this.warn(`The API key is in ${file}; it is shown nowhere else.`);
      return rest;
    } catch (error) {
      rmSync(file, { force: true });
      throw error;
    } finally {
      closeSync(open);
    }
  }
}

function newFile(file: string): number {
  try {
    return openSync(file, 'wx', OWNER_ONLY);
  } catch (error) {
    throw new UsageError(`${file} cannot be made (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`);
  }
}

/** `options` are those that the command declares, beside the common ones. */
type Work = (cli: Invocation, options: never, args: readonly string[]) => Promise<void>;

/** What commander calls with arguments, then options, then the command. */
export function action(work: Work): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals<CommonOptions>();
    await work(new Invocation(options, readEnvironment()), options as never, command.args);
  };
}
