-- Signs in sample accounts by turns, so that no account has more attempts under way than its limit allows.
-- Arguments: the password, then e-mail addresses.

local requests, turn = {}, 0

function init(args)
  for i = 2, #args do
    local body = string.format('{"email":"%s","password":"%s"}', args[i], args[1])
    requests[i - 1] = wrk.format("POST", "/signin", nil, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
