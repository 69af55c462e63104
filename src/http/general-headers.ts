/** What every answer says, whoever gives it. */
import type { FastifyReply, FastifyRequest } from 'fastify';

export function addGeneralHeaders(request: FastifyRequest, reply: FastifyReply): void {
  void reply.header('x-request-id', request.id);
  if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store');
}
