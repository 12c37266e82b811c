-- Counts of one party, all of them or none: GCRA as a leaky bucket.
-- KEYS: the counts. ARGV: "1" to take in any case, else "0"; then for each
-- count its quota, its window in microseconds, and the cost.
-- A count is "<level> <time in microseconds>", by the clock of this server.
-- Replies for each count with whether it fits, what remains, and the
-- microseconds until it fits and until the whole quota is there.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local debit = ARGV[1] == '1'
local slack = 0.000001
local levels, fits, all = {}, {}, true

for i = 1, #KEYS do
  local quota, window, cost = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local kept = redis.pcall('GET', KEYS[i])
  local level = 0
  if kept then
    local was, at
    if type(kept) == 'string' then
      was, at = string.match(kept, '^(%d+%.%d+) (%d+)$')
    end
    if not was then
      -- Not what this script wrote: nobody knows what was used, so all was.
      redis.call('SET', KEYS[i], string.format('%.6f %.0f', quota, now), 'PX', math.ceil(window / 1000))
      return redis.error_reply('LIAISON a count is not readable')
    end
    local sunk = math.max(0, now - tonumber(at)) * quota / window
    level = math.min(math.max(0, tonumber(was) - sunk), quota)
  end
  levels[i] = level
  fits[i] = level + math.min(math.max(cost, 1), quota) - quota
  all = all and fits[i] <= slack
end

local reply = {}
for i = 1, #KEYS do
  local quota, window, cost = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local level, fit, retry = levels[i], 1, 0
  if (all or debit) and cost > 0 then
    level = math.min(level + math.min(cost, quota), quota)
    redis.call('SET', KEYS[i], string.format('%.6f %.0f', level, now), 'PX', math.ceil(level * window / quota / 1000) + 1)
  elseif fits[i] > slack then
    fit, retry = 0, math.ceil(fits[i] * window / quota - slack)
  end
  reply[#reply + 1] = fit
  reply[#reply + 1] = math.floor(quota - level + slack)
  reply[#reply + 1] = retry
  reply[#reply + 1] = math.ceil(level * window / quota - slack)
end
return reply
