--[[
  Replaces a versioned document if it is still at the version before. Safe to run twice and late: the version
  then no longer fits.

  KEYS[1]  document (hash: version, document)
  ARGV[1]  the new version
  ARGV[2]  the new document
  ARGV[3]  "create" when version 1 may begin a document that is not there

  Returns "replaced", "conflict" or "missing" (nothing there that could be replaced).
]]
local kept = redis.call('HGET', KEYS[1], 'version')
local version = tonumber(ARGV[1])
if not kept and not (ARGV[3] == 'create' and version == 1) then
  return 'missing'
end
if tonumber(kept or 0) ~= version - 1 then
  return 'conflict'
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'document', ARGV[2])
return 'replaced'
