/** How a command ends when it does not end well: a sentence for people, and a code for scripts. */

/** Exit codes by kind; docs/cli.md lists them. */
export const EXIT = {
  /** The service said no, or what was looked at is not as it should be. */
  refused: 1,
  /** The command was not understood, or lacks something that only the caller can give. */
  usage: 2,
  /** Nobody answered, or who answered could not do it now: the same command may work later. */
  unreachable: 3,
} as const;

/** Its message is printed as it is: it quotes no secret. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.refused,
  ) {
    super(message);
  }
}

export class UsageError extends CommandError {
  constructor(message: string) {
    super(message, EXIT.usage);
  }
}

/** What the service says of an error, as docs/errors.md has it. */
export interface ErrorBody {
  readonly error: string;
  readonly error_description: string;
  readonly action: string;
  readonly request_id: string;
}

const ACTIONS: Readonly<Record<string, string>> = {
  retry: 'try again later',
  refresh: 'refresh the token',
  reauthenticate: 'log in again',
  fix_request: 'correct the command',
  contact_operator: 'ask the operator of the service',
};

/** The service answered with an error. */
export class Refusal extends CommandError {
  constructor(
    url: string,
    readonly status: number,
    readonly body: ErrorBody,
    readonly retryAfterSeconds: number,
  ) {
    const { error, error_description: description, action, request_id: requestId } = body;
    const what = `${ACTIONS[action] ?? action}; request ${requestId}`;
    super(
      `The service at ${url} answers ${status} ${error}: ${description} (${what})`,
      status >= 500 || action === 'retry' ? EXIT.unreachable : EXIT.refused,
    );
  }
}

export function isErrorBody(body: unknown): body is ErrorBody {
  const { error, error_description, action } = (body ?? {}) as Partial<Record<keyof ErrorBody, unknown>>;
  return typeof error === 'string' && typeof error_description === 'string' && typeof action === 'string';
}
