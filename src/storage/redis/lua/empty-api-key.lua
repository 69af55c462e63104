--[[
  Takes an API key's document away; its field stays, so that a retry finds that there was one. Safe to run twice.

  KEYS[1]  API keys of the tenant (hash)
  ARGV[1]  id of the API key

  Returns 1, or 0 when there is no such key.
]]
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], '')
return 1
