---@meta awsync
-- Types of the module `awsync` for the Lua language server. docs/reference.md has the errors.

---@class awsync
local awsync = {}

---`"awsync 0.1.0"`.
---@type string
awsync._VERSION = nil

---JSON's null inside of values; the same as `cjson.null`.
---@type lightuserdata
awsync.null = nil

-- --- channels -------------------------------------------------------------------------------------------------------

---@class awsync.ChannelOptions
---@field ordered? boolean      false: no order, any number of receivers at once (true)
---@field capacity? integer     a push waits while so many values wait, 0 to 10000; 0: until a pop takes it (no bound)
---@field stream? boolean       true: many values in one message, for one reader (false)
---@field visibility? integer   seconds until a value that a dying receiver held comes again, 1 to 43200 (30)
---@field max_receives? integer what was leased so often and not done goes to the dead letters, 1 to 1000 (never)

---A first-in-first-out line of values: one SQS queue. `local c <close> = awsync.Channel()` deletes the queue at the end
---of the scope. In arguments and in values a channel travels as itself.
---@class awsync.Channel
local Channel = {}

---A view of a channel that sends only. It travels as what it is.
---@class awsync.Sender: awsync.Channel

---A view of a channel that receives only. It travels as what it is.
---@class awsync.Receiver: awsync.Channel

---A value that is being worked on: `local job, lease <close> = c:lease()`. The end of its scope is `done`; an error
---there gives the value back, and so does the death of the process.
---@class awsync.Lease
local Lease = {}

---Makes a channel: a new queue, deleted at the end of its scope, by `delete`, or at the end of the invocation.
---@param options? awsync.ChannelOptions
---@return awsync.Channel
function awsync.Channel(options) end

---Sends a value. Waits only where the channel has a capacity, or too much is still to be sent.
---@param value any        what can leave its process
---@param timeout? number  seconds; none: waits without end
---@return true? sent      it is on its way
---@return "timeout"? reason there was no room for so long
function Channel:push(value, timeout) end

---Takes the next value.
---@param timeout? number  seconds; 0 polls, none waits without end
---@return any value
---@return "timeout"|"closed"|nil reason why there is none
function Channel:pop(timeout) end

---`for v in c:range() do`: every value until the channel is closed and empty. A pushed nil comes as `awsync.null`.
---@return fun(): any
function Channel:range() end

---Takes the next value without deleting it, for work that must not be lost.
---@param timeout? number  seconds
---@return any value
---@return awsync.Lease? lease
---@return "timeout"|"closed"|nil reason why there is none
function Channel:lease(timeout) end

---No more pushes: receivers get what was pushed before, then the end. Raises when the channel is closed already.
function Channel:close() end

---How many values wait to be popped: SQS's own figure, which may lag behind; one request.
---@return integer
function Channel:len() end

---The option `capacity`, else `math.huge`.
---@return number
function Channel:cap() end

---@return awsync.Sender
function Channel:sender() end

---@return awsync.Receiver
function Channel:receiver() end

---Deletes the queue, after what was pushed here has been sent. Twice is fine.
function Channel:delete() end

---The work is done: the value is deleted. Twice is fine.
function Lease:done() end

---The value goes to the next receiver at once. Twice is fine.
function Lease:give_back() end

---`c:push(v)` as a function.
---@param channel awsync.Channel
---@param value any
---@param timeout? number  seconds
---@return true? sent
---@return "timeout"? reason
function awsync.push(channel, value, timeout) end

---`c:pop()` as a function.
---@param channel awsync.Channel
---@param timeout? number  seconds
---@return any value
---@return "timeout"|"closed"|nil reason
function awsync.pop(channel, timeout) end

---`c:range()` as a function.
---@param channel awsync.Channel
---@return fun(): any
function awsync.range(channel) end

---`c:lease()` as a function.
---@param channel awsync.Channel
---@param timeout? number  seconds
---@return any value
---@return awsync.Lease? lease
---@return "timeout"|"closed"|nil reason why there is none
function awsync.lease(channel, timeout) end

---`c:close()` as a function.
---@param channel awsync.Channel
function awsync.close(channel) end

---`c:len()` as a function.
---@param channel awsync.Channel
---@return integer
function awsync.len(channel) end

---`c:cap()` as a function.
---@param channel awsync.Channel
---@return number
function awsync.cap(channel) end

---`c:sender()` as a function.
---@param channel awsync.Channel
---@return awsync.Sender
function awsync.sender(channel) end

---`c:receiver()` as a function.
---@param channel awsync.Channel
---@return awsync.Receiver
function awsync.receiver(channel) end

---`c:delete()` as a function.
---@param channel awsync.Channel
function awsync.delete(channel) end

---@class awsync.Cases
---@field [integer] any[]   `{ "pop", channel }`, `{ "push", channel, value }` or `{ "lease", channel }`
---@field timeout? number   seconds
---@field default? boolean  true: nothing is waited for

---One of several operations, whichever is ready first, a random one among those that are:
---`local which, v, reason = awsync.select { { "pop", a }, { "push", b, v }, timeout = 0.5 }`.
---A case whose channel is nil is never ready.
---@param cases awsync.Cases
---@return integer|"timeout"|"default" which the case's index
---@return any value of a pop or a lease
---@return awsync.Lease|"closed"|nil lease of a lease; or why a pop has no value
---@return "closed"? reason of a lease without a value
function awsync.select(cases) end

-- --- calls ----------------------------------------------------------------------------------------------------------

---An error of a call in another lambda; `tostring` reads like Lua's own uncaught error.
---@class awsync.Error
---@field message any        what was raised there
---@field kind "error"|"timeout"|"memory"|"killed"|"cancelled"|"deadlock"|"unclaimed"
---@field traceback? string  of the other lambda
---@field fn? string         name of the function that was called
---@field args? string       its arguments in short
---@field request_id? string of its invocation
---@field others? awsync.Error[] errors of other calls that were there at the same time

---Calls f in another instance of this Lambda; returns when the call is on its way. Its error raises in a waiting
---operation.
---@param f function a Lua function
---@param ... any    its arguments
function awsync.invoke(f, ...) end

---Calls f in another lambda and forgets it: it belongs to nobody, outlives its caller, and its error is its own.
---@param f function
---@param ... any
function awsync.detach(f, ...) end

---Has fn called with the error of each plain invoke that fails, instead of raising it; nil: raise again.
---@param fn? fun(err: awsync.Error)
function awsync.on_error(fn) end

-- --- futures --------------------------------------------------------------------------------------------------------

---The results of a call, for later.
---@class awsync.Future
local Future = {}

---Calls f in another lambda.
---@param f function
---@param ... any
---@return awsync.Future
function awsync.async(f, ...) end

---Waits for the call's end: its results, or raises its error; nil and "timeout" when it has not ended in time.
---@param timeout? number  seconds
---@return any ...
function Future:await(timeout) end

---Whether the call has ended, as far as is known here; waits for nothing.
---@return boolean
function Future:done() end

---Cancels the call. False when it had ended.
---@return boolean
function Future:cancel() end

---`for i, v in awsync.as_completed(futures) do`: index and first result of each, in the order in which they end.
---@param futures awsync.Future[]
---@return fun(): integer?, any
function awsync.as_completed(futures) end

---Waits until some or all futures have ended. Raises no error of theirs.
---@param futures awsync.Future[]
---@param options? { count?: integer, timeout?: number }
---@return awsync.Future[] done
---@return awsync.Future[] rest
function awsync.wait(futures, options) end

---Waits; as every waiting operation it raises errors of spawned calls.
---@param seconds number
function awsync.sleep(seconds) end

-- --- groups ---------------------------------------------------------------------------------------------------------

---@class awsync.GroupOptions
---@field limit? integer          most of its calls at once (no bound)
---@field errors? "first"|"all"   the first error cancels the rest; or all end, the other errors are attached ("first")

---Calls that end together: `local g <close> = awsync.group { limit = 10 }`.
---@class awsync.Group
local Group = {}

---@param options? awsync.GroupOptions
---@return awsync.Group
function awsync.group(options) end

---Calls f in another lambda as a member; waits while the group has as many running as its limit says.
---@param f function
---@param ... any
---@return awsync.Future
function Group:invoke(f, ...) end

---Waits for all members.
---@return any[] results the first of each, in the order of the invokes
function Group:wait() end

---Cancels all members that have not ended.
function Group:cancel() end

-- --- lists ----------------------------------------------------------------------------------------------------------

---@class awsync.MapOptions
---@field limit? integer    most calls at once (1000)
---@field chunk? integer    items for one call (1; of a list of more than 1000, as many as make 1000 calls)
---@field retries? integer  how often a failed call is made again (0); the whole chunk of it
---@field backoff? number   seconds before the first retry (1); twice as many before each further one
---@field timeout? number   seconds from a call's start to its end; then it has failed and is cancelled
---@field ordered? boolean  false: an iterator of results as they come (true)

---@class awsync.UnorderedMapOptions: awsync.MapOptions
---@field ordered false

---Calls f(item) for each item, in other lambdas. The first error that is left after its retries cancels the rest.
---@generic T, R
---@param f fun(item: T): R
---@param list T[]
---@param options? awsync.MapOptions
---@return R[] results in the order of the list
---@overload fun(f: function, list: any[], options: awsync.UnorderedMapOptions): fun(): integer?, any
function awsync.map(f, list, options) end

---The same with lists of arguments: f(table.unpack(item)).
---@generic R
---@param f fun(...: any): R
---@param list any[][]
---@param options? awsync.MapOptions
---@return R[] results in the order of the list
---@overload fun(f: function, list: any[][], options: awsync.UnorderedMapOptions): fun(): integer?, any
function awsync.starmap(f, list, options) end

---f runs in other lambdas, and reduce there too for the items of a chunk: how the items are bracketed must not matter.
---@generic T
---@param f fun(item: T): any
---@param list T[]
---@param reduce fun(a: any, b: any): any
---@param initial? any
---@param options? awsync.MapOptions
---@return any result nil for an empty list without initial
function awsync.map_reduce(f, list, reduce, initial, options) end

-- --- main -----------------------------------------------------------------------------------------------------------

---Marks main's result: the value itself is the answer, instead of a response with `statusCode` and `body`.
---@param value any
---@return userdata
function awsync.raw(value) end

---The second argument of `main`. What the platform does not say is nil.
---@class awsync.Context
---@field request_id string
---@field function_name? string
---@field function_version? string
---@field invoked_function_arn? string
---@field memory_limit? integer   MB
---@field deadline? number        seconds since 1970
---@field remaining fun(): number seconds until then
---@field log_group? string
---@field log_stream? string
---@field trace_id? string
---@field client_context? any
---@field identity? any
---@field tenant_id? string

return awsync
