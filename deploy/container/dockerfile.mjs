// Follows a Dockerfile's instructions in folders instead of layers. It knows what ours uses and refuses anything else,
// so that the tree that is checked is the tree that an image would hold.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

const DESCRIPTIVE = new Set(['ARG', 'LABEL', 'EXPOSE', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD', 'USER', 'ENV']);

/** @returns every instruction as its name and what follows it, on one line */
export function parseDockerfile(text) {
  return text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? [];
      if (!name) throw new Error(`not an instruction: ${line}`);
      return { name, rest };
    });
}

/** What a build may see of the folder: `.dockerignore` in the form of ours, a list of exceptions from everything. */
function visible(context) {
  const lines = readFileSync(join(context, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines[0] !== '*') throw new Error('.dockerignore must leave out everything first');
  return new Set(lines.slice(1).map((line) => line.replace(/^!/, '')));
}

class Stage {
  constructor(folder) {
    this.folder = folder;
    this.workdir = '/';
    this.described = [];
  }

  path(inside) {
    return join(this.folder, resolve(this.workdir, inside));
  }
}

function copy(stages, stage, { rest, context }) {
  const words = rest.split(/\s+/);
  const flags = Object.fromEntries(
    words.filter((word) => word.startsWith('--')).map((word) => word.slice(2).split('=')),
  );
  const paths = words.filter((word) => !word.startsWith('--'));
  const target = stage.path(paths.at(-1));
  const allowed = flags.from ? undefined : visible(context);
  for (const source of paths.slice(0, -1)) {
    if (allowed && !allowed.has(source)) throw new Error(`.dockerignore hides ${source}`);
    const found = flags.from ? stages.get(flags.from).path(source) : join(context, source);
    if (!existsSync(found)) throw new Error(`COPY ${source}: not there`);
    const into = paths.at(-1).endsWith('/') && !statSync(found).isDirectory();
    cpSync(found, into ? join(target, basename(source)) : target, {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

/**
 * @param context the repository
 * @param folder where the stages' trees are made
 * @returns the last stage: its folder, and the instructions that describe how it runs
 */
export function follow(context, folder) {
  const stages = new Map();
  let stage;
  for (const { name, rest } of parseDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8'))) {
    if (name === 'FROM') {
      const called = / AS (\S+)$/.exec(rest)?.[1] ?? 'image';
      stage = new Stage(join(folder, called));
      mkdirSync(stage.folder, { recursive: true });
      stages.set(called, stage);
    } else if (name === 'WORKDIR') {
      stage.workdir = rest;
      mkdirSync(stage.path('.'), { recursive: true });
    } else if (name === 'COPY') {
      copy(stages, stage, { rest, context });
    } else if (name === 'RUN') {
      const { status } = spawnSync('sh', ['-c', rest], { cwd: stage.path('.'), stdio: ['ignore', 2, 2] });
      if (status !== 0) throw new Error(`RUN ${rest}: exit status ${status}`);
    } else if (DESCRIPTIVE.has(name)) {
      stage.described.push({ name, rest });
    } else {
      throw new Error(`${name} is not known here: teach deploy/container/dockerfile.mjs`);
    }
  }
  return stage;
}
