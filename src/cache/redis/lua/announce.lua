-- Tells which epoch is in force: KEYS[1] the hash of all stores, ARGV the store's log, the number, the epoch. An earlier
-- number never replaces a later one; what is not in our form counts as nothing.
local standing = redis.pcall('HGET', KEYS[1], ARGV[1])
if type(standing) == 'table' and standing.err then
  redis.call('DEL', KEYS[1])
elseif standing then
  local number = tonumber(string.match(standing, '^(%d+) %x+$'))
  if number and number >= tonumber(ARGV[2]) then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 1
