-- Counts of one party, all of them or none: GCRA as a leaky bucket.
-- KEYS: the counts. ARGV: a text of doubles, as an argument costs more than
-- what is read from it: 1 to take in any case, else 0; then for each count its
-- quota, its window in microseconds, and what is taken of it. Then for how
-- many milliseconds counts are kept: none is full for longer than its window.
-- A count is its level and the time in microseconds, by the clock of this
-- server, as two doubles.
-- Replies with the levels before anything was taken, as doubles: what follows
-- from them is decided by the same additions here and there.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local pack, double = struct.pack, struct.unpack
local args, levels, all = ARGV[1], {}, true

local function put(key, level)
  redis.call('SET', key, pack('>dd', level, now), 'PX', ARGV[2])
end

for i = 1, #KEYS do
  local quota, window, taken = double('>ddd', args, 24 * i - 15)
  local kept = redis.pcall('GET', KEYS[i])
  local level = 0
  if kept then
    local at = -1
    if type(kept) == 'string' and #kept == 16 then
      level, at = double('>dd', kept)
    end
    if not (level >= 0 and at >= 0) then
      -- Not what this script wrote: nobody knows what was used, so all was.
      put(KEYS[i], quota)
      return redis.error_reply('LIAISON a count is not readable')
    end
    if now > at then
      level = level - (now - at) * quota / window
    end
    if level < 0 then level = 0 elseif level > quota then level = quota end
  end
  levels[i] = level
  if taken < 1 then taken = 1 end
  all = all and level + taken - quota <= 0.000001
end

if all or double('>d', args) == 1 then
  for i = 1, #KEYS do
    local quota, window, taken = double('>ddd', args, 24 * i - 15)
    if taken > 0 then
      local level = levels[i] + taken
      if level > quota then level = quota end
      put(KEYS[i], level)
    end
  end
end
return pack('>' .. string.rep('d', #KEYS), unpack(levels))
