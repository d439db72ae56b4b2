--- Go-style concurrency on AWS: channels over SQS, functions in other lambdas.
-- Every operation on a channel exists as a method and as a function: `c:push(v)` and `push(c, v)`.

local core = require "awsync.core"

---@class awsync.Channel
---A first-in-first-out line of values: one SQS queue. `local c <close> = awsync.Channel()` deletes the queue at the
---end of the scope. In arguments and in values a channel travels as itself.
---@field push fun(self: awsync.Channel, value: any, timeout?: number): true?, string?
---@field pop fun(self: awsync.Channel, timeout?: number): any, string?
---@field range fun(self: awsync.Channel): fun(): any
---@field close fun(self: awsync.Channel)
---@field len fun(self: awsync.Channel): integer
---@field cap fun(self: awsync.Channel): number
---@field lease fun(self: awsync.Channel, timeout?: number): any, awsync.Lease|string
---@field sender fun(self: awsync.Channel): awsync.Channel
---@field receiver fun(self: awsync.Channel): awsync.Channel
---@field delete fun(self: awsync.Channel)

---@class awsync.Lease
---A value that is being worked on: `local job, lease <close> = c:lease()`. The end of its scope is `done`, an error
---there gives the value back, and so does the death of the process.
---@field done fun(self: awsync.Lease)      the work is done: the value is deleted
---@field give_back fun(self: awsync.Lease) the value goes to the next receiver at once

---@class awsync.ChannelOptions
---@field capacity? integer   a push waits while so many values wait, 0 to 10000; 0: until a pop takes it (never)
---@field stream? boolean     true: many values in one message, for one reader (false)
---@field max_receives? integer what was leased so often and not done goes to the dead letters, 1 to 1000 (never)
---@field ordered? boolean    false: no order, any number of receivers at once (default true)
---@field visibility? integer seconds until a value that a dying receiver held comes again, 1 to 43200 (default 30)

---@class awsync
local awsync = {
  ---@type string
  _VERSION = core._VERSION,

  ---JSON's null inside of values; the same as `cjson.null`.
  ---@type lightuserdata
  null = core.null,
}

---Makes a channel: a new queue, deleted at the end of its scope, by `delete`, or at the end of the invocation.
---@type fun(options?: awsync.ChannelOptions): awsync.Channel
awsync.Channel = core.Channel

---Calls a Lua function in another instance of this Lambda; returns when the call is on its way. What AWS refuses is
---raised by the next operation, or fails the invocation.
---@type fun(f: function, ...: any)
awsync.invoke = core.invoke

---Sends a value; returns true when it is on its way. Raises on a closed and on a deleted channel, on a receive-only
---view, and for what cannot travel. With a timeout in seconds: nil and "timeout" when there was no room for so long.
---@type fun(channel: awsync.Channel, value: any, timeout?: number): true?, string?
awsync.push = core.push

---Takes the next value: the value, or nil and "timeout" or "closed". The timeout is in seconds, fractions allowed;
---0 polls, none waits for ever.
---@type fun(channel: awsync.Channel, timeout?: number): any, string?
awsync.pop = core.pop

---`for v in awsync.range(c) do`: every value until the channel is closed and empty. A pushed nil comes as awsync.null.
---@type fun(channel: awsync.Channel): fun(): any
awsync.range = core.range

---No more pushes: receivers get what was pushed before, then the end. Raises when the channel is closed already.
---@type fun(channel: awsync.Channel)
awsync.close = core.close

---How many values wait to be popped: SQS's own figure, which may lag behind for a while; one request.
---@type fun(channel: awsync.Channel): integer
awsync.len = core.len

---How many values may wait: the option `capacity`, else math.huge.
---@type fun(channel: awsync.Channel): number
awsync.cap = core.cap

---Takes the next value without deleting it, for work that must not be lost: the value and a lease, or nil and "timeout"
---or "closed". As long as the lease is held nobody else gets the value; on an ordered channel nobody gets any.
---@type fun(channel: awsync.Channel, timeout?: number): any, awsync.Lease|string
awsync.lease = core.lease

---A view of the channel that sends only: push, close. It travels as what it is.
---@type fun(channel: awsync.Channel): awsync.Channel
awsync.sender = core.sender

---A view of the channel that receives only: pop, range.
---@type fun(channel: awsync.Channel): awsync.Channel
awsync.receiver = core.receiver

---One of several operations, whichever is ready first, a random one among those that are:
---`local which, v, err = awsync.select{ {"pop", c1}, {"push", c2, v}, {"lease", c3}, timeout = 0.5, default = true }`.
---which is the case's index, or "timeout", or "default" when nothing was ready; for a pop v and err are what pop
---returns, for a lease what lease returns. A case with a nil channel is never ready.
---@type fun(cases: table): integer|string, any, any
awsync.select = core.select

---Deletes the channel's queue, after what was pushed has been sent. Twice is fine.
---@type fun(channel: awsync.Channel)
awsync.delete = core.delete

---Marks a handler's result: the value itself is the answer, instead of a response with `statusCode` and `body`.
---@type fun(value: any): any
awsync.raw = core.raw

---Has fn called with the error of each plain invoke that fails, in waiting operations, instead of raising it there;
---nil: raise again. For the invocation that is running.
---@type fun(fn: fun(err: awsync.Error)?)
awsync.on_error = core.on_error

---@class awsync.Error an error of a call in another lambda; `tostring` reads like Lua's own uncaught error
---@field message any       what was raised there
---@field traceback? string of the other lambda
---@field fn? string        name of the function that was called
---@field args? string      its arguments in short
---@field request_id? string
---@field kind "error"|"timeout"|"memory"|"killed"|"cancelled"|"deadlock"|"unclaimed"
---@field others? awsync.Error[] errors of other calls that were there at the same time

-- The rest is loaded when it is used first: a program that does not use it starts sooner.
local homes = {
  async = "future", as_completed = "future", wait = "future", sleep = "future", detach = "future",
  group = "group",
  map = "map", starmap = "map", map_reduce = "map",
}

return setmetatable(awsync, {
  __index = function(_, name)
    local home = homes[name]
    -- Not kept here: in another process the function is found by the name of its own module.
    return home and require("awsync." .. home)[name]
  end,
})
