--[[
  Keeps an API key of a tenant that exists.

  KEYS[1]  tenant record (hash)
  KEYS[2]  API keys of the tenant (hash)
  ARGV[1]  deadline, ms of this Redis' clock: run later than that, nothing happens
  ARGV[2]  id of the API key
  ARGV[3]  document of the API key

  Returns "created", "missing" (no such tenant) or "late".
]]
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[1]) then
  return 'late'
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 'missing'
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 'created'
