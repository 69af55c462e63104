/**
 * Where a request carries its API key: in `X-API-Key`, and on routes that speak OAuth 2 also where its clients have
 * their credentials (RFC 6749 section 2.3.1): client_id is the key's id, client_secret the whole key.
 */
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';
import { speaksOAuth } from '../http/access.js';
import { decodeFormText, FormBody } from '../http/strict-form.js';
import { parseApiKey } from './api-key.js';

/** What no API key is: refused with as much work as any other. */
const NO_KEY = '';
const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/i;

/** @returns undefined when there is none; before the body is read, what the headers say */
export function presentedKey(request: FastifyRequest): string | undefined {
  return keysOf(request)[0];
}

/** @throws AppError invalid_request for more than one way of authentication in a request (RFC 6749 section 2.3) */
export function requireOneWay(request: FastifyRequest): void {
  if (keysOf(request).length <= 1) return;
  throw new AppError('invalid_request', {
    description: 'Authenticate in one way: X-API-Key, Authorization: Basic, or client_secret.',
  });
}

function keysOf(request: FastifyRequest): string[] {
  const { 'x-api-key': header, authorization } = request.headers;
  const ofHeader = typeof header === 'string' ? [header] : [];
  if (!speaksOAuth(request)) return ofHeader;
  return [...ofHeader, ...keyOfBasic(authorization), ...keyOfForm(request.body)];
}

function keyOfBasic(authorization: string | undefined): string[] {
  if (authorization === undefined || !/^basic\b/i.test(authorization)) return [];
  const text = Buffer.from(BASIC.exec(authorization)?.[1] ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return [NO_KEY];
  try {
    return [keyOfClient(decodeFormText(text.slice(0, colon)), decodeFormText(text.slice(colon + 1)))];
  } catch {
    return [NO_KEY];
  }
}

function keyOfForm(body: unknown): string[] {
  const secret = body instanceof FormBody ? body.get('client_secret') : undefined;
  return secret === undefined ? [] : [keyOfClient((body as FormBody).get('client_id'), secret)];
}

function keyOfClient(clientId: string | undefined, secret: string): string {
  return parseApiKey(secret)?.keyId === clientId ? secret : NO_KEY;
}
