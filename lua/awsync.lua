--- Go-style concurrency on AWS: channels over SQS, functions in other lambdas.
-- Every operation on a channel exists as a method and as a function: `c:push(v)` and `push(c, v)`.

local core = require "awsync.core"

---@class awsync.Channel
---A first-in-first-out line of values: one SQS queue. `local c <close> = awsync.Channel()` deletes the queue at the end
---of the scope. In arguments and in values a channel travels as itself.
---@field push fun(self: awsync.Channel, value: any)
---@field pop fun(self: awsync.Channel, timeout?: number): any, string?
---@field delete fun(self: awsync.Channel)

---@class awsync.ChannelOptions
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

---Sends a value; returns when it is on its way. Raises on a deleted channel and for what cannot travel.
---@type fun(channel: awsync.Channel, value: any)
awsync.push = core.push

---Takes the next value: the value, or nil and "timeout" or "closed". The timeout is in seconds, fractions allowed;
---0 polls, none waits for ever.
---@type fun(channel: awsync.Channel, timeout?: number): any, string?
awsync.pop = core.pop

---Deletes the channel's queue, after what was pushed has been sent. Twice is fine.
---@type fun(channel: awsync.Channel)
awsync.delete = core.delete

---Marks a handler's result: the value itself is the answer, instead of a response with `statusCode` and `body`.
---@type fun(value: any): any
awsync.raw = core.raw

return awsync
