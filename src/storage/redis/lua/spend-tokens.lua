--[[
  Takes from a token bucket what was taken already, whether or not it held that much. A bucket that is not there is
  full, and so is one whose limit was changed. Run twice it would take twice: it is sent once, and a reply that is
  lost is not asked for again.

  KEYS[1]  bucket (hash: level; at, when it had that, ms; asked, requests so far; limit, rate and burst)
  ARGV[1]  time, ms
  ARGV[2]  tokens that the bucket gains each second
  ARGV[3]  tokens that it holds when it is full
  ARGV[4]  tokens to take
  ARGV[5]  requests that asked for tokens
  ARGV[6]  the lowest level, below zero
  ARGV[7]  how far instances' clocks may be apart, ms

  Returns {level (text), requests so far}.
]]
local now, rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local limit = ARGV[2] .. '/' .. ARGV[3]
local kept = redis.call('HMGET', KEYS[1], 'level', 'at', 'limit')
local level, at = tonumber(kept[1]), tonumber(kept[2])
if not level or not at or kept[3] ~= limit then
  redis.call('DEL', KEYS[1])
  level, at = burst, now
end

-- The clock that is ahead decides, unless it was set.
local time = now < at - tonumber(ARGV[7]) and now or math.max(at, now)
level = math.min(burst, level + rate * math.max(0, time - at) / 1000)
level = math.max(level - tonumber(ARGV[4]), tonumber(ARGV[6]))
local text = string.format('%.3f', level)
redis.call('HSET', KEYS[1], 'level', text, 'at', string.format('%.0f', time), 'limit', limit)
local asked = redis.call('HINCRBY', KEYS[1], 'asked', ARGV[5])
-- A minute after it is full nothing is lost with it.
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', (burst - level) / rate * 1000 + 60000))
return {text, asked}
