/** Every route of the running application with its access policy, from Nest's own metadata. */
import { RequestMethod, type Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ACCESS_POLICY, type AccessPolicy } from '../../src/http/access.js';

export interface Route {
  /** `POST /tenants/:id/api-keys` */
  readonly name: string;
  readonly policy: AccessPolicy | undefined;
}

export function routesOf(app: NestFastifyApplication): Route[] {
  const controllers = [...app.get(ModulesContainer).values()]
    .flatMap((module) => [...module.controllers.values()])
    .map(({ metatype }) => metatype)
    .filter((metatype): metatype is Type => typeof metatype === 'function');
  return controllers.flatMap(routesOfController);
}

function routesOfController(controller: Type): Route[] {
  const prototype: Record<string, unknown> = controller.prototype;
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const handler = prototype[name];
    const method: unknown =
      typeof handler === 'function' ? Reflect.getMetadata('method', handler) : undefined;
    if (typeof handler !== 'function' || typeof method !== 'number') return [];
    const policy: AccessPolicy | undefined = Reflect.getMetadata(ACCESS_POLICY, handler);
    return pathsOf(controller).flatMap((prefix) =>
      pathsOf(handler).map((path) => ({
        name: `${RequestMethod[method]} /${[prefix, path].filter((part) => part !== '').join('/')}`,
        policy,
      })),
    );
  });
}

/** Without slashes at the ends. */
function pathsOf(target: object): string[] {
  const path: string | string[] = Reflect.getMetadata('path', target);
  return [path].flat().map((text) => text.replace(/^\/|\/$/g, ''));
}
