-- Counts of one party, all of them or none: GCRA as a leaky bucket.
-- KEYS: the counts. ARGV: "1" to take in any case, else "0"; then for each
-- count its quota, its window in microseconds, and the cost.
-- A count is its level and the time in microseconds, by the clock of this
-- server, as two doubles: texts of them take twice as long as all the rest.
-- Replies for each count with whether it fits, what remains, and the
-- microseconds until it fits and until the whole quota is there.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local debit = ARGV[1] == '1'
local slack = 0.000001
local min, max, floor, ceil = math.min, math.max, math.floor, math.ceil
local quotas, windows, costs, levels, fits, all = {}, {}, {}, {}, {}, true

local function put(key, level, at, ttl)
  redis.call('SET', key, struct.pack('>dd', level, at), 'PX', ceil(ttl / 1000) + 1)
end

for i = 1, #KEYS do
  local quota, window, cost = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local kept = redis.pcall('GET', KEYS[i])
  local level = 0
  if kept then
    local was, at = -1, -1
    if type(kept) == 'string' and #kept == 16 then
      was, at = struct.unpack('>dd', kept)
    end
    if not (was >= 0 and at >= 0) then
      -- Not what this script wrote: nobody knows what was used, so all was.
      put(KEYS[i], quota, now, window)
      return redis.error_reply('LIAISON a count is not readable')
    end
    level = min(max(0, was - max(0, now - at) * quota / window), quota)
  end
  quotas[i], windows[i], costs[i], levels[i] = quota, window, cost, level
  fits[i] = level + min(max(cost, 1), quota) - quota
  all = all and fits[i] <= slack
end

local reply = {}
for i = 1, #KEYS do
  local quota, window, cost, level, fit, retry = quotas[i], windows[i], costs[i], levels[i], 1, 0
  if (all or debit) and cost > 0 then
    level = min(level + min(cost, quota), quota)
    put(KEYS[i], level, now, level * window / quota)
  elseif fits[i] > slack then
    fit, retry = 0, ceil(fits[i] * window / quota - slack)
  end
  local n = #reply
  reply[n + 1], reply[n + 2] = fit, floor(quota - level + slack)
  reply[n + 3], reply[n + 4] = retry, ceil(level * window / quota - slack)
end
return reply
