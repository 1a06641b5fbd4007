-- Moves the position forward: KEYS[1] the position, ARGV its generation, the new seq, the time to live, the present time.
-- Returns 0 when another generation stands.
local standing = redis.call('GET', KEYS[1])
if not standing or string.sub(standing, 1, 16) ~= ARGV[1] then return 0 end
if tonumber(string.match(standing, '^%x+ (%d+)')) <= tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[4], 'EX', ARGV[3])
end
return 1
