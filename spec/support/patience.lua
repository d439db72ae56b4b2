-- How many times longer things may take here than on an idle machine without a sanitizer. For specs that tell
-- "at once" from "never"; speed itself is measured in bench/.
local factors = { address = 4, thread = 12 }

return factors[os.getenv("SANITIZE")] or 2
