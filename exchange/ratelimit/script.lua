-- Counts of one party, all of them or none: GCRA as a leaky bucket.
-- KEYS: the counts. ARGV: "1" to take in any case, else "0"; then for each
-- count its quota, its window in microseconds, what is taken of it, and for
-- how many milliseconds it is kept after that.
-- A count is its level and the time in microseconds, by the clock of this
-- server, as two doubles: texts of them take twice as long as all the rest.
-- Replies with the levels before anything was taken, as doubles: what follows
-- from them is decided by the same additions here and there.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local pack, unpackd = struct.pack, struct.unpack
local levels, all = {}, true

for i = 1, #KEYS do
  local a = 4 * i
  local quota, taken = ARGV[a - 2] + 0, ARGV[a] + 0
  local kept = redis.pcall('GET', KEYS[i])
  local level = 0
  if kept then
    local at = -1
    if type(kept) == 'string' and #kept == 16 then
      level, at = unpackd('>dd', kept)
    end
    if not (level >= 0 and at >= 0) then
      -- Not what this script wrote: nobody knows what was used, so all was.
      redis.call('SET', KEYS[i], pack('>dd', quota, now), 'PX', ARGV[a + 1])
      return redis.error_reply('LIAISON a count is not readable')
    end
    if now > at then
      level = level - (now - at) * quota / ARGV[a - 1]
    end
    if level < 0 then level = 0 elseif level > quota then level = quota end
  end
  levels[i] = level
  if taken < 1 then taken = 1 end
  all = all and level + taken - quota <= 0.000001
end

if all or ARGV[1] == '1' then
  for i = 1, #KEYS do
    local a = 4 * i
    if ARGV[a] ~= '0' then
      local level, quota = levels[i] + ARGV[a], ARGV[a - 2] + 0
      if level > quota then level = quota end
      redis.call('SET', KEYS[i], pack('>dd', level, now), 'PX', ARGV[a + 1])
    end
  end
end
return pack('>' .. string.rep('d', #KEYS), unpack(levels))
