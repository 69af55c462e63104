-- Asks the session service about each request: http-request lua.session_verify, which sets txn.session_status and,
-- of an accepted one, txn.session_user, _tenant, _id, _scope and _checked; of a refused one _error and _challenge.
-- It knows the service's address and the gateway's API key from SESSION_VERIFY_URL and SESSION_API_KEY.
local url = os.getenv('SESSION_VERIFY_URL')
local api_key = os.getenv('SESSION_API_KEY')
assert(url and api_key, 'SESSION_VERIFY_URL and SESSION_API_KEY must be set')

local TIMEOUT_MS = 3000
local NAMES = { 'user', 'tenant', 'id', 'scope', 'checked', 'error' }

local function first(headers, name)
  local values = headers and headers[name]
  return values and values[0]
end

core.register_action('session_verify', { 'http-req' }, function(txn)
  txn:set_var('txn.session_status', 503)
  local sent = txn.http:req_get_headers()['authorization']
  local headers = { ['x-api-key'] = { api_key } }
  -- All that were sent: the service refuses two.
  if sent then
    headers['authorization'] = {}
    for at = 0, #sent do headers['authorization'][at + 1] = sent[at] end
  end
  local answer = core.httpclient():get({ url = url, headers = headers, timeout = TIMEOUT_MS })
  if not answer then return end
  for _, name in ipairs(NAMES) do
    txn:set_var('txn.session_' .. name, first(answer.headers, 'x-session-' .. name) or '')
  end
  local challenge = first(answer.headers, 'www-authenticate')
  txn:set_var('txn.session_challenge', challenge or '')
  if answer.status == 204 or answer.status == 403 or (answer.status == 401 and challenge) then
    -- A 401 without a challenge is about the gateway's own API key: it stays 503, and logs nobody out.
    txn:set_var('txn.session_status', answer.status)
  end
end)
