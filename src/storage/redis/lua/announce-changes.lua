--[[
  Appends changes to the feed, in their order, each with the next number; trims what no token can be alive for.
  Safe to run twice: readers take a change that they know already.

  KEYS[1]  feed (stream: n, the entry's number; c, the change as JSON; p, the id of the entry before)
  KEYS[2]  state of the feed (hash: identity, sequence, last_id, retention in ms)
  ARGV[1]  identity that the feed gets if it has none: it is new, or was emptied
  ARGV[2]  how long the longest-lived of these changes matters, ms
  ARGV[3]  and on: changes

  Returns the number of the last entry.
]]
redis.call('HSETNX', KEYS[2], 'identity', ARGV[1])
local retention = math.max(tonumber(redis.call('HGET', KEYS[2], 'retention') or 0), tonumber(ARGV[2]))
redis.call('HSET', KEYS[2], 'retention', string.format('%.0f', retention))
local time = redis.call('TIME')
local oldest = string.format('%.0f', math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - retention))

local sequence
for i = 3, #ARGV do
  sequence = redis.call('HINCRBY', KEYS[2], 'sequence', 1)
  local last_id = redis.call('HGET', KEYS[2], 'last_id') or '0-0'
  local id = redis.call('XADD', KEYS[1], 'MINID', '~', oldest, '*',
    'n', sequence, 'c', ARGV[i], 'p', last_id)
  redis.call('HSET', KEYS[2], 'last_id', id)
end
return sequence
