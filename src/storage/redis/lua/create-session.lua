--[[
  Keeps a new session and lists it under its user. Safe to run twice: what became of the session since stays.

  KEYS[1]  session (hash)
  KEYS[2]  the user's sessions (sorted set by time of creation)
  ARGV[1]  deadline, ms of this Redis' clock: run later than that, nothing happens
  ARGV[2]  session id
  ARGV[3]  created at, ms
  ARGV[4]  life of the record, ms
  ARGV[5]  longest life of the session, ms
  ARGV[6]  sessions that the user may have
  ARGV[7]  and on: fields and values of the session

  Returns "late", or {"first" or "again" (the session was there), id, ...} with the ids of all sessions listed for
  the user, oldest first, when they are more than the user may have (some may have expired), and else none.
]]
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[1]) then
  return 'late'
end
local reply = { 'again' }
if redis.call('EXISTS', KEYS[1]) == 0 then
  reply = { 'first' }
  redis.call('HSET', KEYS[1], unpack(ARGV, 7))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[5]) then
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
if redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[6]) then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    table.insert(reply, id)
  end
end
return reply
