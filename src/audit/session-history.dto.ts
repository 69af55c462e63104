/** What the history of a session answers. */
import { ApiProperty } from '@nestjs/swagger';
import { AUDIT_ACTIONS } from './audit.js';
import { AuditActorDto } from './audit.dto.js';
import { SESSION_STATES, type SessionState, type Story } from './session-history.js';

export class HistoryEventDto {
  /** @example 2026-11-23T21:04:11.382Z */
  time!: string;
  @ApiProperty({ enum: [...AUDIT_ACTIONS, 'expired'] })
  what!: string;
  /** In words. @example "Ended by an administrator, through API key “support desk” (9f86d081884c7d65)." */
  text!: string;
  actor?: AuditActorDto;
  /** @example 5f0c2a4e-6d0b-4d0e-9c55-0f6f3f1f8a11 */
  request_id?: string;
  /** Place in the audit. @example 42 */
  seq?: number;
}

export class SessionHistoryDto {
  /** @example Zk3fq8J0pX2vT5sYb1cWnA0mRe */
  session_id!: string;
  /** @example user-42 */
  user_id!: string | null;
  /** `unknown`: it is gone, and no entry is left that says why. */
  @ApiProperty({ enum: SESSION_STATES })
  state!: SessionState;
  /**
   * The whole story in a few sentences.
   * @example "The session of user “user-42” was created at 2026-11-23 09:00:00 UTC by API key “web” (9f86d081884c7d65). It was refreshed twice. At 2026-11-23 21:04:11 UTC: Ended by an administrator, through API key “support desk” (1b2c3d4e5f607182)."
   */
  summary!: string;
  /** Oldest first. */
  events!: HistoryEventDto[];
}

export function toHistoryView(sessionId: string, story: Story): SessionHistoryDto {
  return {
    session_id: sessionId,
    user_id: story.userId,
    state: story.state,
    summary: story.summary,
    events: story.events.map(({ time, action, text, entry }) => ({
      time,
      what: action,
      text,
      ...(entry ? { actor: entry.actor, seq: entry.seq } : {}),
      ...(entry?.request_id === undefined ? {} : { request_id: entry.request_id }),
    })),
  };
}
