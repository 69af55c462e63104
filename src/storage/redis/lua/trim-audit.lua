--[[
  Takes entries from the beginning of an audit chain. Safe to run twice and late: the beginning only moves on.

  KEYS[1]  entries of the chain (hash: place -> hash and text)
  KEYS[2]  state of the chain (hash: first, the place of the oldest entry)
  ARGV[1]  place of the first of them
  ARGV[2]  place behind the last of them

  Returns the place of what is now the oldest entry.
]]
local first = tonumber(redis.call('HGET', KEYS[2], 'first') or 1)
local behind = tonumber(ARGV[2])
for place = tonumber(ARGV[1]), behind - 1 do
  redis.call('HDEL', KEYS[1], string.format('%.0f', place))
end
if behind > first then
  first = behind
  redis.call('HSET', KEYS[2], 'first', string.format('%.0f', first))
end
return first
