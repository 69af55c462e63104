--[[
  Keeps a new tenant and its first API key, both or neither.

  KEYS[1]  tenant record (hash)
  KEYS[2]  API keys of the tenant (hash)
  ARGV[1]  deadline, ms of this Redis' clock: run later than that, nothing happens
  ARGV[2]  version of the tenant
  ARGV[3]  document of the tenant
  ARGV[4]  id of the API key
  ARGV[5]  document of the API key

  Returns "created", "exists" or "late".
]]
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[1]) then
  return 'late'
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'exists'
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'document', ARGV[3])
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
return 'created'
