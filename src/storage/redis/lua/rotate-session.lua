--[[
  A refresh token was presented: rotates it, repeats the last answer, or finds it reused. The rules are those of
  `rotate` in sessions/session.ts. Safe to run twice: the second run finds the presented token as the previous
  one, not yet confirmed.

  KEYS[1]  session (hash)
  KEYS[2]  present when the session is revoked (string)
  ARGV[1]  deadline, ms of this Redis' clock: run later than that, nothing happens
  ARGV[2]  id of the presented refresh token
  ARGV[3]  id of its successor, should it be current
  ARGV[4]  kid of the secret that signs the successor
  ARGV[5]  now, ms
  ARGV[6]  grace window, ms
  ARGV[7]  idle life of a session, ms
  ARGV[8]  life of an access token, ms
  ARGV[9]  how long past the last token's expiry things are remembered, ms

  Returns {outcome} with "late", "missing", "revoked" or "expired", or
  {"reused", "replaced_token" or "older_token", "again"} (the session was marked already), or
  {"reused", the same, "first", epoch, idle_expires_at, rotated_at}, or
  {outcome, field, value, ...} with "rotated" or "repeated" and the record as it now is; with "rotated" also
  before_idle_expires_at and before_rotated_at, as they were.
]]
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[1]) then
  return { 'late' }
end

local session = {}
local reply = redis.call('HGETALL', KEYS[1])
for i = 1, #reply, 2 do
  session[reply[i]] = reply[i + 1]
end

if not session.user_id then
  if redis.call('EXISTS', KEYS[2]) == 1 then
    return { 'revoked' }
  end
  return { 'missing' }
end
local cause = ARGV[2] == session.previous_id and 'replaced_token' or 'older_token'
if session.revoked_reason then
  -- Reuse whose ending was cut short is found again, so that a retry completes it.
  if session.revoked_reason == 'refresh_token_reused' then
    return { 'reused', cause, 'again' }
  end
  return { 'revoked' }
end

local now, margin = tonumber(ARGV[5]), tonumber(ARGV[9])
local idle, absolute = tonumber(session.idle_expires_at), tonumber(session.absolute_expires_at)
local access = tonumber(session.access_expires_at)
if now >= idle or now >= absolute then
  return { 'expired' }
end

local function whole(number)
  return string.format('%.0f', number)
end

-- As `isAhead` in sessions/refresh-id.ts: this store has lost a rotation that was acknowledged.
local function is_ahead(id, than)
  local lineage, number = string.match(id, '^(.+)_(%d+)$')
  local other_lineage, other_number = string.match(than, '^(.+)_(%d+)$')
  return lineage ~= nil and lineage == other_lineage and tonumber(number) > tonumber(other_number)
end

local outcome
if ARGV[2] == session.current_id or is_ahead(ARGV[2], session.current_id) then
  -- Remembered for as long as any access token lives, also when the settings got shorter.
  idle = math.max(math.min(now + ARGV[7], absolute), access)
  redis.call('HSET', KEYS[1],
    'current_id', ARGV[3], 'previous_id', ARGV[2], 'kid', ARGV[4], 'rotated_at', ARGV[5],
    'grace_from', ARGV[5], 'confirmed', '0', 'idle_expires_at', whole(idle))
  redis.call('PEXPIRE', KEYS[1], whole(idle - now + margin))
  outcome = 'rotated'
elseif ARGV[2] == session.previous_id and session.confirmed == '0' then
  redis.call('HSET', KEYS[1], 'grace_from', ARGV[5])
  outcome = 'repeated'
elseif ARGV[2] == session.previous_id and now - session.grace_from < tonumber(ARGV[6]) then
  outcome = 'repeated'
else
  local left = whole(math.max(access - now, 0) + margin)
  redis.call('HSET', KEYS[1], 'revoked_reason', 'refresh_token_reused')
  redis.call('PEXPIRE', KEYS[1], left)
  redis.call('SET', KEYS[2], 'refresh_token_reused', 'PX', left)
  return { 'reused', cause, 'first', session.epoch, session.idle_expires_at, session.rotated_at }
end

access = math.max(access, math.min(now + ARGV[8], idle, absolute))
redis.call('HSET', KEYS[1],
  'access_expires_at', whole(access), 'last_used_at', whole(math.max(now, tonumber(session.last_used_at))))
reply = redis.call('HGETALL', KEYS[1])
table.insert(reply, 1, outcome)
if outcome == 'rotated' then
  table.insert(reply, 'before_idle_expires_at')
  table.insert(reply, session.idle_expires_at)
  table.insert(reply, 'before_rotated_at')
  table.insert(reply, session.rotated_at)
end
return reply
