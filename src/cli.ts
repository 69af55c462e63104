#!/usr/bin/env node
/** `session-service`: the command line. It speaks HTTP to the service and knows nothing of its inside. */
import { CommanderError } from 'commander';
import { CommandError, EXIT } from './cli/failure.js';
import { buildProgram } from './cli/program.js';
import { printable } from './cli/terminal.js';

// Whoever reads the output may stop reading: `session-service tenants list | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : EXIT.refused);
});

try {
  await buildProgram().parseAsync();
} catch (error) {
  // commander has said already what is wrong with the command.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
  else {
    process.stderr.write(`${printable((error as Error).message)}\n`);
    process.exitCode = error instanceof CommandError ? error.exitCode : EXIT.refused;
  }
}
