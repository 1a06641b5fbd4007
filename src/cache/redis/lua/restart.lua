-- Begins a generation: KEYS[1] the position, ARGV the generation to replace (may be empty), the new position, the time
-- to live. Returns the position that stands, which is another replica's if that was quicker.
local standing = redis.pcall('GET', KEYS[1])
if type(standing) == 'string' and string.find(standing, '^%x+ %d+ %d+$') and string.sub(standing, 1, 16) ~= ARGV[1] then
  return standing
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return ARGV[2]
