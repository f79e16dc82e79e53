-- Posts questions, each with a text and an idempotency key of its own. Argument: what makes the keys of this run its own.

local run, count = "", 0
local body = '{"title":"벤치마크 질문 %s-%d","body":"공항에서 시내까지 버스로 얼마나 걸리나요? 아이와 함께 가요. %d",'
  .. '"category":"traffic","urgency":"normal","hashtags":["공항","버스"],'
  .. '"place":{"name":"제주국제공항","latitude":33.5104,"longitude":126.4914}}'

function init(args)
  run = args[1]
end

function request()
  count = count + 1
  local headers = { ["Idempotency-Key"] = run .. "-" .. count }
  for name, value in pairs(wrk.headers) do
    headers[name] = value
  end
  return wrk.format("POST", "/questions", headers, body:format(run, count, count))
end
