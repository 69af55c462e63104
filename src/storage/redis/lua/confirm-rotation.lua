--[[
  The answer to a rotation arrived at the service: the previous refresh token may now run out of grace.

  KEYS[1]  session (hash)
  ARGV[1]  id of the refresh token that became current; if another one has since, nothing happens

  Returns nothing.
]]
if redis.call('HGET', KEYS[1], 'current_id') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'confirmed', '1')
end
