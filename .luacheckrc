std = "lua54"
max_line_length = 120
cache = false
-- A program's entry point is the global `main`: design, not accident.
files["examples"] = { globals = { "main" } }
files["bench/programs"] = { globals = { "main" } }
files["bench/handlers"] = { globals = { "main" } }
files["spec/programs"] = { globals = { "main" }, ignore = { "1.." } }
files["spec/conformance/answers.lua"] = { globals = { "main" } }
files["spec"] = { std = "+busted" }
files["packaging"] = { std = "+busted" }
-- Types without bodies.
files["library"] = { ignore = { "212", "241" } }
exclude_files = { "build/", "spec/programs/broken/" }
