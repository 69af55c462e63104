--[[
  Blocks a session: marks its record and remembers its id until the last access token of it has expired.
  Safe to run twice and late.

  KEYS[1]  session (hash)
  KEYS[2]  present when the session is revoked (string)
  ARGV[1]  reason
  ARGV[2]  now, ms
  ARGV[3]  how long past the last token's expiry it is remembered, ms

  Returns an empty list when there is no such session, else {user id, access tokens' last expiry in ms,
  "again" (it was blocked already) or "first", epoch, idle_expires_at, rotated_at}.
]]
local fields = redis.call('HMGET', KEYS[1],
  'user_id', 'access_expires_at', 'idle_expires_at', 'revoked_reason', 'epoch', 'rotated_at')
local now = tonumber(ARGV[2])
if not fields[1] or now >= tonumber(fields[3]) then
  return {}
end
if not fields[4] then
  local left = math.max(tonumber(fields[2]) - now, 0) + ARGV[3]
  redis.call('SET', KEYS[2], ARGV[1], 'PX', string.format('%.0f', left))
  redis.call('HSET', KEYS[1], 'revoked_reason', ARGV[1])
  -- Should its removal be cut short, it goes by itself.
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left))
end
return { fields[1], fields[2], fields[4] and 'again' or 'first', fields[5], fields[3], fields[6] }
