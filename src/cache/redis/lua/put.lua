-- Puts entries of one bucket: KEYS[1] the bucket, ARGV the time to live and pairs of id and compact form. With KEYS[2],
-- the position, nothing goes in and 0 is returned unless the bucket is of the generation that counts: after a flush the
-- tombstone that would stop an older value is gone, and the position with it.
--
-- An entry goes in when its revision is later than the standing one's, or equal and its day not earlier (a tombstone
-- has no day and so the earliest). What is not in our form counts as nothing. Numbers are compared as numbers: Lua
-- compares strings by the server's locale.
local function order(form)
  if not form then return -1, -1 end
  local size, kind = #form, string.byte(form, 1)
  if not ((size == 9 and kind == 32) or (size == 16 and kind > 32 and kind <= 36)) then return -1, -1 end
  local a, b, c, d, e, x, y, z = string.byte(form, 2, 9)
  local revision = (((a * 256 + b) * 256 + c) * 256 + d) * 256 + e
  if size == 9 then return revision, -1 end
  return revision, (x * 256 + y) * 256 + z
end
if KEYS[2] then
  local position = redis.pcall('GET', KEYS[2])
  local generation = string.match(KEYS[1], '%-(%x+):{%d+}$')
  if type(position) ~= 'string' or string.sub(position, 1, 16) ~= generation then return 0 end
end
local ids = {}
for at = 2, #ARGV, 2 do ids[#ids + 1] = ARGV[at] end
local standing = redis.pcall('HMGET', KEYS[1], unpack(ids))
if standing.err then
  if not string.find(standing.err, 'WRONGTYPE', 1, true) then return standing end
  redis.call('DEL', KEYS[1])
  standing = {}
end
for at, id in ipairs(ids) do
  local form = ARGV[at * 2 + 1]
  local revision, day = order(form)
  local standing_revision, standing_day = order(standing[at])
  if revision > standing_revision or (revision == standing_revision and day >= standing_day) then
    redis.call('HSET', KEYS[1], id, form)
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
