--[[
  Appends entries to a tenant's audit chain, all or none, if it still ends where they begin. Safe to run twice and
  late: the second run finds its own entries there, or others in their place, and changes nothing.

  KEYS[1]  entries of the chain (hash: place -> hash in hex, 64 characters, and the text)
  KEYS[2]  state of the chain (hash: seq and hash of the newest entry; first, the place of the oldest)
  ARGV[1]  place of the entry that they follow; 0 for none
  ARGV[2]  its hash
  ARGV[3]  and on: entries, each its hash followed by its text

  Returns {"appended"}, or {"conflict", place of the newest entry or false, its hash or false, "continues" or
  "replaced": whether the entry that they follow is still there}.
]]
local after = tonumber(ARGV[1])
local state = redis.call('HMGET', KEYS[2], 'seq', 'hash', 'first')
local seq = tonumber(state[1] or 0)

local function hash_at(place)
  local entry = redis.call('HGET', KEYS[1], string.format('%.0f', place))
  return entry and string.sub(entry, 1, 64)
end

if seq ~= after or (state[1] and state[2] ~= ARGV[2]) then
  if ARGV[3] and hash_at(after + 1) == string.sub(ARGV[3], 1, 64) then
    return { 'appended' }
  end
  local is_trimmed = after < tonumber(state[3] or 1)
  local continues = after == 0 or (seq >= after and (is_trimmed or hash_at(after) == ARGV[2]))
  return { 'conflict', state[1], state[2], continues and 'continues' or 'replaced' }
end

for i = 3, #ARGV do
  after = after + 1
  redis.call('HSET', KEYS[1], string.format('%.0f', after), ARGV[i])
end
redis.call('HSET', KEYS[2], 'seq', string.format('%.0f', after), 'hash', string.sub(ARGV[#ARGV], 1, 64))
redis.call('HSETNX', KEYS[2], 'first', '1')
return { 'appended' }
