// Bare Fastify, which parses a body of the same size as the service's and answers one of the same size.
import { requestBytes } from '../load/request.mjs';
import { repeating } from '../load/traffic.mjs';
import { makeCase } from './case.mjs';

/** @param service the contender whose requests and answers are imitated */
export async function ceilingCases(servers, redisUrl, service) {
  const { issued, validated } = await service.answers();
  const server = await servers.peer('bare-fastify', {
    ANSWERS: JSON.stringify({ issued, validated }),
    REDIS_URL: redisUrl,
  });
  const validation = (path) =>
    requestBytes({ ...service.validation(issued.access_token, 'replica'), ...(path ? { path } : {}) });
  const creation = (path) => requestBytes({ ...service.creation(), path });
  const refresh = requestBytes({
    path: '/sessions/refresh',
    headers: service.headers,
    body: { refresh_token: issued.refresh_token },
  });
  const bare = (values) => makeCase(server, { contender: 'bare', kind: 'ceiling', ...values });
  return [
    bare({
      operation: 'validate',
      title: 'bare Fastify',
      traffic: repeating([validation()]),
      inLatency: true,
    }),
    bare({
      operation: 'validate',
      variant: 'asked',
      title: 'bare Fastify and one question to Redis',
      traffic: repeating([validation('/sessions/asked')]),
    }),
    bare({ operation: 'create', title: 'bare Fastify', traffic: repeating([creation('/sessions')], 201) }),
    bare({
      operation: 'create',
      variant: 'signed',
      title: 'bare Fastify and one RS256 signature',
      traffic: repeating([creation('/sessions/signed')], 201),
    }),
    bare({ operation: 'refresh', title: 'bare Fastify', traffic: repeating([refresh]) }),
  ];
}
