-- Removes a field that still holds what could not be read: KEYS[1] the bucket, ARGV id and bytes.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1
