-- Runs a command of `awsync` as a client of a spec's engine.
local shell = require "spec.support.shell"

--- words: what follows the command's name, as the shell reads it; variables: over those that lead to the engine.
--- Returns standard output, standard error and exit status.
return function(engine, name, words, variables)
  local all = { AWS_ENDPOINT_URL = engine.endpoint, AWS_REGION = engine.region, AWS_ACCESS_KEY_ID = engine.key,
    AWS_SECRET_ACCESS_KEY = engine.secret, AWS_SESSION_TOKEN = "", AWS_MAX_ATTEMPTS = "" }
  for variable, value in pairs(variables or {}) do all[variable] = value end
  local assignments = {}
  for variable, value in pairs(all) do assignments[#assignments + 1] = variable .. "=" .. shell.quote(value) end
  return shell.run(("env %s %s %s %s"):format(table.concat(assignments, " "), shell.awsync, name, words or ""))
end
