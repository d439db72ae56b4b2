-- What an SQS queue does, said as simply as possible: lists and loops. The spec holds the engine's queue against it.
local model = {}
model.__index = model

local REMEMBER, TOTAL = 300000, 43200000

function model.new(rules)
  return setmetatable({ rules = rules, messages = {}, sequence = 0, sent_ids = {}, attempts = {} }, model)
end

function model:advance(now)
  local kept = {}
  for _, m in ipairs(self.messages) do
    if m.state ~= "visible" and m.due <= now then m.state = "visible" end
    if m.sent + self.rules.retention > now then kept[#kept + 1] = m end
  end
  self.messages = kept
  for _, memory in ipairs { self.sent_ids, self.attempts } do
    for id, entry in pairs(memory) do
      if now - entry.at >= REMEMBER then memory[id] = nil end
    end
  end
end

function model:count(now)
  self:advance(now)
  local n = { visible = 0, delayed = 0, flight = 0 }
  for _, m in ipairs(self.messages) do n[m.state] = n[m.state] + 1 end
  return n.visible, n.delayed, n.flight
end

function model:due()
  local due
  for _, m in ipairs(self.messages) do
    if m.state ~= "visible" and (not due or m.due < due) then due = m.due end
  end
  return due
end

function model:send(p)
  self:advance(p.now)
  local key = p.dedup and (self.rules.dedup_by_group and p.group or "") .. "/" .. p.dedup
  if self.rules.fifo and key then
    if self.sent_ids[key] then return "duplicate", self.sent_ids[key].sequence end
    self.sent_ids[key] = { at = p.now, sequence = self.sequence + 1 }
  end
  self.sequence = self.sequence + 1
  local delay = p.delay or self.rules.delay
  self.messages[#self.messages + 1] = { sequence = self.sequence, group = p.group, sent = p.now, generation = 0,
    here = 0, state = delay > 0 and "delayed" or "visible", due = p.now + delay }
  return "ok", self.sequence
end

function model:find(sequence)
  for i, m in ipairs(self.messages) do
    if m.sequence == sequence then return m, i end
  end
end

-- The candidates in the order in which a receive looks at them.
function model:line()
  if not self.rules.fifo then
    local line = {}
    for _, m in ipairs(self.messages) do
      if m.state == "visible" then line[#line + 1] = m end
    end
    return line
  end
  local groups, order = {}, {}
  for _, m in ipairs(self.messages) do
    local g = groups[m.group]
    if not g then
      g = { open = true }
      groups[m.group], order[#order + 1] = g, g
    end
    g.open = g.open and m.state == "visible"
    if g.open then g[#g + 1] = m end
  end
  local line = {}
  for _, g in ipairs(order) do table.move(g, 1, #g, #line + 1, line) end
  return line
end

function model:again(p)
  local attempt = self.rules.fifo and p.attempt and self.attempts[p.attempt]
  if not attempt then return end
  local out = {}
  for i, given in ipairs(attempt) do
    local m = self:find(given.sequence)
    if not m or m.state ~= "flight" or m.changed or m.generation ~= given.generation then return end
    out[i] = m
  end
  for _, m in ipairs(out) do
    m.due = p.now + p.visibility
    if p.visibility == 0 then m.state = "visible" end
  end
  return out
end

function model:receive(p)
  self:advance(p.now)
  local out, dead = self:again(p), {}
  if out then return out, dead, "ok" end
  out = {}
  local _, _, flying = self:count(p.now)
  local room = self.rules.in_flight_max - flying
  if room <= 0 and not self.rules.fifo then return out, dead, "over limit" end
  for _, m in ipairs(self:line()) do
    if #out >= math.min(p.max, room) then break end
    if p.max_receives > 0 and m.here >= p.max_receives then
      dead[#dead + 1] = m.sequence
      table.remove(self.messages, select(2, self:find(m.sequence)))
    else
      out[#out + 1] = m
    end
  end
  for _, m in ipairs(out) do
    m.here, m.generation, m.received, m.changed = m.here + 1, m.generation + 1, p.now, false
    if p.visibility > 0 then m.state, m.due = "flight", p.now + p.visibility end
  end
  if self.rules.fifo and p.attempt then
    local attempt = { at = p.now }
    for i, m in ipairs(out) do attempt[i] = { sequence = m.sequence, generation = m.generation } end
    self.attempts[p.attempt] = #out > 0 and attempt or nil
  end
  return out, dead, "ok"
end

function model:holds(m, generation)
  return not self.rules.fifo or (m.state == "flight" and m.generation == generation)
end

function model:delete(sequence, generation, now)
  self:advance(now)
  local m, i = self:find(sequence)
  if not m then return "ok" end
  if not self:holds(m, generation) then return "expired" end
  table.remove(self.messages, i)
  return "ok"
end

function model:change(sequence, generation, visibility, now)
  self:advance(now)
  local m = self:find(sequence)
  if not m then return "gone" end
  if not self:holds(m, generation) then return "expired" end
  if now + visibility - m.received > TOTAL then return "too long" end
  m.changed = true
  m.state, m.due = visibility > 0 and "flight" or "visible", now + visibility
  return "ok"
end

function model:purge()
  self.messages, self.sent_ids, self.attempts = {}, {}, {}
end

return model
