--[[
  Changes a tenant's numbers of live sessions. Not to be run twice: a number is changed by what it is told.

  KEYS[1]  number of sessions by the end of their time in ms (hash)
  ARGV[1]  now, ms
  ARGV[2]  how many numbers there may be before those of what is over are removed
  ARGV[3]  and on: end in ms and change, in pairs

  Returns nothing.
]]
local latest = 0
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  latest = math.max(latest, tonumber(ARGV[i]))
end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[2]) then
  for _, ends in ipairs(redis.call('HKEYS', KEYS[1])) do
    if tonumber(ends) <= tonumber(ARGV[1]) then
      redis.call('HDEL', KEYS[1], ends)
    end
  end
end
local left = latest - tonumber(ARGV[1])
if redis.call('PTTL', KEYS[1]) < left then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left))
end
