/** Express, Fastify and Nest behind the SDK's middleware, all asked the same: real servers, real requests. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  Controller,
  Get,
  HttpException,
  Module,
  Req,
  UseGuards,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import express from 'express';
import fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import { requireSession } from '../../sdk/src/express.js';
import { sessions } from '../../sdk/src/fastify.js';
import { SessionVerifier } from '../../sdk/src/index.js';
import { SessionGuard, type AuthenticatedRequest } from '../../sdk/src/nest.js';
import { createTestTenant, type TestService } from '../../sdk/src/testing.js';

interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

async function runExpress(verifier: SessionVerifier): Promise<Running> {
  const app = express();
  app.get('/me', requireSession(verifier), (request, response) => {
    response.json({ user: request.auth?.userId });
  });
  app.get('/write', requireSession(verifier, { scope: 'write', realm: 'shop' }), (request, response) => {
    response.json({ user: request.auth?.userId });
  });
  const server = app.listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => new Promise((closed) => server.close(() => closed())),
  };
}

async function runFastify(verifier: SessionVerifier): Promise<Running> {
  const app = fastify();
  await app.register(sessions, { verifier });
  app.get('/me', { onRequest: app.requireSession() }, ({ auth }) => ({ user: auth?.userId }));
  const onRequest = app.requireSession({ scope: ['write'], realm: 'shop' });
  app.get('/write', { onRequest }, ({ auth }) => ({ user: auth?.userId }));
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), stop: () => app.close() };
}

async function runNest(verifier: SessionVerifier): Promise<Running> {
  @Controller()
  class Shop {
    @Get('me')
    @UseGuards(new SessionGuard(verifier))
    me(@Req() { auth }: AuthenticatedRequest): object {
      return { user: auth.userId };
    }

    @Get('write')
    @UseGuards(new SessionGuard(verifier, { scope: 'write', realm: 'shop', HttpException }))
    write(@Req() { auth }: AuthenticatedRequest): object {
      return { user: auth.userId };
    }
  }
  @Module({ controllers: [Shop] })
  class ShopModule {}
  const app: INestApplication = await NestFactory.create(ShopModule, new FastifyAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  return { url: await app.getUrl(), stop: () => app.close() };
}

describe.each([
  ['Express', runExpress],
  ['Fastify', runFastify],
  ['Nest', runNest],
])('%s', (name, run) => {
  let tenant: TestService;
  let verifier: SessionVerifier;
  let app: Running;

  beforeAll(async () => {
    tenant = await createTestTenant();
    verifier = tenant.verifier({ maxStalenessMs: 60_000, jwksCooldownMs: 20 });
    await verifier.ready();
    app = await run(verifier);
  });

  afterAll(async () => {
    await app.stop();
    await tenant.close();
  });

  const get = async (path: string, authorization?: string) => {
    const answer = await fetch(app.url + path, {
      headers: authorization === undefined ? {} : { authorization },
    });
    return {
      status: answer.status,
      challenge: answer.headers.get('www-authenticate'),
      retryAfter: answer.headers.get('retry-after'),
      body: (await answer.json()) as Record<string, unknown>,
    };
  };

  test('lets a good token through, however its scheme is written', async () => {
    const { accessToken } = await tenant.login({ userId: 'bob', scope: 'read write' });
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      expect(await get('/me', `${scheme} ${accessToken}`)).toMatchObject({
        status: 200,
        body: { user: 'bob' },
      });
    }
    expect(await get('/write', `Bearer ${accessToken}`)).toMatchObject({
      status: 200,
      body: { user: 'bob' },
    });
  });

  test('challenges a request without a token, and says nothing of a token', async () => {
    for (const authorization of [undefined, 'Basic YWxpY2U6c2VjcmV0', 'Bearerx']) {
      expect(await get('/me', authorization)).toMatchObject({ status: 401, challenge: 'Bearer' });
    }
    expect(await get('/write')).toMatchObject({ status: 401, challenge: 'Bearer realm="shop"' });
  });

  test('refuses a token that is not good, and says why', async () => {
    const login = await tenant.login();
    const expired = await tenant.expired(login);
    expect(await get('/me', `Bearer ${expired}`)).toMatchObject({
      status: 401,
      challenge: 'Bearer error="invalid_token", error_description="The token has expired."',
      body:
        name === 'Nest'
          ? { message: 'The token has expired.' }
          : { error: 'token_expired', action: 'refresh' },
    });
    expect(await get('/write', `Bearer ${expired}`)).toMatchObject({
      status: 401,
      body: { error: 'token_expired', action: 'refresh' },
    });
    for (const token of ['x', `${login.accessToken}A`, `${login.accessToken} ${login.accessToken}`]) {
      expect(await get('/me', `Bearer ${token}`)).toMatchObject({
        status: 401,
        challenge: expect.stringContaining('error="invalid_token"'),
      });
    }
  });

  test('refuses a session that lacks a scope', async () => {
    const { accessToken } = await tenant.login({ scope: 'read writer' });
    expect(await get('/write', `Bearer ${accessToken}`)).toMatchObject({
      status: 403,
      challenge:
        'Bearer realm="shop", error="insufficient_scope", ' +
        'error_description="The session may not do that.", scope="write"',
    });
  });

  test('answers 503 and never 401 when it cannot know', async () => {
    const { accessToken } = await tenant.login();
    const { claims } = await verifier.verify(accessToken);
    const underNewKey = await tenant.sign(claims, { kid: 'not-fetched-yet' });
    tenant.goDown();
    expect(await get('/me', `Bearer ${underNewKey}`)).toMatchObject({
      status: 503,
      challenge: null,
      retryAfter: '1',
    });
    tenant.comeBack();
  });
});
