// Which packages of a lock file production needs: those to which the root package's dependencies lead. A workspace and
// what it alone needs are in the lock too, and not in an image that is built without it.

/** Where Node finds `name` when the package at `from` asks for it; undefined when it is not in the lock. */
function resolved(packages, from, name) {
  const folders = from.split('/node_modules/');
  const places = folders.map((_, at) =>
    [...folders.slice(0, folders.length - at), name].join('/node_modules/'),
  );
  return [...places, `node_modules/${name}`].find((path) => path in packages);
}

function needs({ dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} }) {
  const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
  return [...Object.keys(dependencies), ...peers];
}

/**
 * @param packages of a lock file, by their paths in the tree
 * @returns the paths; what is optional or for development is not followed
 */
export function neededByRoot(packages) {
  const found = new Set();
  const toVisit = [''];
  while (toVisit.length > 0) {
    const from = toVisit.pop();
    for (const name of needs(packages[from])) {
      const path = resolved(packages, from, name);
      if (path === undefined)
        throw new Error(`${name}, which ${from || 'the service'} needs, is not in the lock file`);
      if (found.has(path)) continue;
      found.add(path);
      toVisit.push(path);
    }
  }
  return found;
}
