# The rock. `make rock`: build/rocks/, a directory that any web server makes a rocks server of. `make test-rock` installs from it.
#
#   make rock URL=https://HOST/FOLDER    where build/rocks/ will be reached: the rockspec and the sources lie there too
#
# rock-build and rock-install are what LuaRocks calls (awsync-scm-1.rockspec).

ROCK_BUILD := build/rock
URL        ?=

.PHONY: rock rock-needs rock-build rock-install test-rock
rock:
	@packaging/rock build/rocks $(VERSION) '$(URL)'

# LuaRocks does not find headers in multiarch folders; pkg-config and the compiler do.
rock-needs:
	@command -v pkg-config >/dev/null || { echo "awsync: pkg-config is missing" >&2; exit 1; }
	@pkg-config --exists --print-errors libcurl openssl libevent libevent_pthreads libzip || { \
	  echo "awsync: on Debian and Ubuntu: apt install libcurl4-openssl-dev libssl-dev libevent-dev libzip-dev" >&2; exit 1; }
	@printf '#include <lua.h>\n#include <uthash.h>\n' | $(CC) $(LUA_CFLAGS) -fsyntax-only -xc - || { \
	  echo "awsync: on Debian and Ubuntu: apt install liblua5.4-dev uthash-dev" >&2; exit 1; }

rock-build: rock-needs
	@$(MAKE) --no-print-directory -j2 SANITIZE= BUILD=$(ROCK_BUILD) all

rock-install:
	install -d $(ROCK_BIN) $(ROCK_LIB)/awsync $(ROCK_LUA)/awsync
	install $(ROCK_BUILD)/awsync $(ROCK_BUILD)/bootstrap $(ROCK_BIN)/
	install $(ROCK_BUILD)/lua/awsync/core.so $(ROCK_LIB)/awsync/
	install -m 644 lua/awsync.lua $(ROCK_LUA)/
	install -m 644 lua/awsync/*.lua $(ROCK_LUA)/awsync/

test-rock: deps
	@packaging/deps rock
	@packaging/test-rock
