-- For wrk: every request asks for another name, so that no answer can be one that was kept.
local number = 0

request = function()
  number = number + 1
  return wrk.format("GET", wrk.path .. "?name=Ada%20Lovelace%20" .. number)
end
