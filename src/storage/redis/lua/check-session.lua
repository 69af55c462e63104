--[[
  Whether an access token may be accepted.

  KEYS[1]  session (hash)
  KEYS[2]  present when the session is revoked (string)
  KEYS[3]  present when the token alone is revoked (string)
  ARGV[1]  now, ms

  Returns "live", "revoked" or "missing".
]]
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then
  return 'revoked'
end
local fields = redis.call('HMGET', KEYS[1], 'idle_expires_at', 'revoked_reason')
if fields[2] then
  return 'revoked'
end
if fields[1] and tonumber(ARGV[1]) < tonumber(fields[1]) then
  return 'live'
end
return 'missing'
