---@meta awsync.testing
-- Types of the module `awsync.testing` for the Lua language server.

---A program on a local AWS of its own, for specs.
---@class awsync.testing
local testing = {}

---@class awsync.testing.Options
---@field memory? integer       MB of a lambda, 128 to 10240 (128)
---@field timeout? integer      seconds, longest life of an invocation, 1 to 900 (60)
---@field concurrency? integer  most lambdas at once (1000)
---@field env? table<string, string> further environment variables of the lambdas

---@class awsync.testing.Failure
---@field errorMessage string
---@field errorType string
---@field stackTrace? string[]

---@class awsync.testing.App
---@field name string name of the function: the file's, without `.lua`
---@field variables table<string, string> by which any AWS client reaches this local AWS
local App = {}

---The command line program. Another one can be set.
---@type string
testing.awsync = nil

---Starts the program on a local AWS. Raises when that cannot be.
---@param file string path of the Lua file; its global function `main` is the handler
---@param options? awsync.testing.Options
---@return awsync.testing.App
function testing.start(file, options) end

---Invokes the handler and waits for its answer.
---@param event? any a table, sent as JSON, or JSON text; `{}` when it is missing
---@return any answer as Lambda gives it, decoded; nil when the handler failed
---@return awsync.testing.Failure? failure
function App:invoke(event) end

---Invokes the handler and returns what its function returned; raises its error.
---@param event? any
---@return any
function App:call(event) end

---What the lambdas have written so far.
---@return string
function App:log() end

---Ends the local AWS with all its lambdas. Twice is fine.
function App:stop() end

return testing
