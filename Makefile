# AWSync for Lua. Settings first; nothing below the line needs changing.
#
#   make            build/bootstrap, build/awsync, build/lua/
#   make run        the program of the README on the embedded engine
#   make test       every spec; ends with "N passed, N failed"
#   make lint       luacheck, clang-format, cppcheck, mandoc, banned functions
#   make SANITIZE=address test    the specs under ASan and UBSan
#   make SANITIZE=thread test     the specs under TSan
#   make go-conformance RUNS=10   the Go programs of docs/go.md, each so often, also with four lambdas at most (SANITIZE as above)
#   make fuzz SECONDS=60          each libFuzzer target for so long (clang)
#   make bench                    every program of bench/: medians, and floors in C that are ours
#   make bench-peers              the same beside other people's programs (installs them in build/peers)
#   make conformance              AWS's own clients and runtimes, and other people's SQS (installs them in build/peers)
#   make valgrind                 the README's program under valgrind
#   make deps       installs what is missing (Debian, Ubuntu)
#   make clean

CC       ?= cc
CFLAGS   ?= -O2 -g
SANITIZE ?=
ROOM     ?=                      # make test ROOM=sigv4: only spec/sigv4_spec.lua
PARTY    ?=                      # make conformance PARTY=javascript: only that one
LUA      ?= lua5.4

ifeq ($(SANITIZE),)
  BUILD ?= build
  SPEC_LUA ?= $(LUA)
else ifeq ($(SANITIZE),address)
  BUILD ?= build/address
  SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
  SPEC_LUA ?= $(BUILD)/spec/lua
else ifeq ($(SANITIZE),thread)
  BUILD ?= build/thread
  SAN := -fsanitize=thread -fno-omit-frame-pointer
  SPEC_LUA ?= $(BUILD)/spec/lua
else
  $(error SANITIZE is address or thread, not "$(SANITIZE)")
endif

# --- nothing below this line needs changing ---------------------------------

VERSION  := 0.1.0
WARN     := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings -Wvla -Wundef $(if $(CI),-Werror)
# Only Debian and Ubuntu call them lua5.4 and liblua5.4.a: LUA_CFLAGS and LUA_LIBS can be set from outside.
LUA_CFLAGS  ?= $(shell pkg-config --cflags lua5.4 2>/dev/null)
LUA_LIBS    ?= -l:liblua5.4.a
DEP_CFLAGS  := $(shell pkg-config --cflags libcurl openssl libevent libzip 2>/dev/null)
CLIENT_LIBS := $(shell pkg-config --libs libcurl openssl 2>/dev/null)
ENGINE_LIBS := $(shell pkg-config --libs libevent libevent_pthreads 2>/dev/null)
ZIP_LIBS    := $(shell pkg-config --libs libzip 2>/dev/null)

ALL_CFLAGS := $(WARN) $(CFLAGS) $(SAN) -fPIC -fvisibility=hidden -pthread -D_GNU_SOURCE \
              -DAWSYNC_VERSION='"$(VERSION)"' -I. $(DEP_CFLAGS) -MMD -MP
LINK       := $(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -pthread

# A room is a folder; a room's archive is made of every .c file in it.
ROOMS := sigv4 host/base host/json host/aws host/channel host/binding host/runtime host/engine host/cli
room_sources = $(wildcard $(1)/*.c)
room_archive = $(BUILD)/obj/$(1).a
$(foreach r,$(ROOMS),$(eval SRC_$(r) := $(filter-out $(r)/main.c,$(call room_sources,$(r)))))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

# Each list names rooms in link order: who knows before who is known.
CLIENT_ROOMS  := host/channel host/aws sigv4 host/json host/base
BINDING_ROOMS := host/binding $(CLIENT_ROOMS)
RUNTIME_ROOMS := host/runtime $(BINDING_ROOMS)
CLI_ROOMS     := host/cli host/engine $(CLIENT_ROOMS)
PROBE_ROOMS   := host/engine $(BINDING_ROOMS)

# Only the binding and the runtime see lua.h; the include path of the others does not have it.
LUA_ROOMS := host/binding host/runtime spec
LUA_OBJ   := $(foreach r,$(LUA_ROOMS),$(BUILD)/obj/$(r)/%.o)

LUA_MODULES := $(patsubst lua/%,$(BUILD)/lua/%,$(shell find lua -name '*.lua' 2>/dev/null))
PROBES      := $(patsubst spec/probe/%.c,$(BUILD)/spec/probe/%.so,$(wildcard spec/probe/*.c))
PROGRAMS    := $(BUILD)/bootstrap $(BUILD)/awsync $(BUILD)/lua/awsync/core.so $(LUA_MODULES)

.DEFAULT_GOAL := all
.SECONDARY:
.PHONY: all deps run test go-conformance lint format clean specs-ready fuzz bench bench-ready bench-peers conformance valgrind

# A module that is no more must not stay beside the programs, which package what lies there.
STALE_MODULES := $(filter-out $(LUA_MODULES),$(shell find $(BUILD)/lua -name '*.lua' 2>/dev/null))
all: $(PROGRAMS)
	$(if $(STALE_MODULES),@rm -f $(STALE_MODULES))

$(LUA_OBJ): EXTRA_CFLAGS = $(LUA_CFLAGS)
$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(EXTRA_CFLAGS) -c $< -o $@

# Rebuilt when the flags change: an object of other flags is another object.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS)' > $@
.PHONY: FORCE
FORCE:

# What was taken out of a room goes out of its archive: its list of sources is made anew when it is another.
define archive_rule
$(call room_archive,$(1)): $(call objects,$(SRC_$(1))) $(BUILD)/obj/$(1).list
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$(filter %.o,$$^)
$(BUILD)/obj/$(1).list: FORCE
	@mkdir -p $$(@D)
	@echo '$(SRC_$(1))' | cmp -s - $$@ || echo '$(SRC_$(1))' > $$@
endef
$(foreach r,$(ROOMS),$(eval $(call archive_rule,$(r))))
archives = $(foreach r,$(1),$(call room_archive,$(r)))
comma := ,

# -Wl,-E: C rocks find the Lua API inside the program.
$(BUILD)/bootstrap: $(call objects,host/runtime/main.c) $(call archives,$(RUNTIME_ROOMS))
	$(LINK) -Wl,-E $^ -Wl,--whole-archive $(LUA_LIBS) -Wl,--no-whole-archive $(CLIENT_LIBS) -lm -ldl -o $@

$(BUILD)/awsync: $(call objects,host/cli/main.c) $(call archives,$(CLI_ROOMS))
	$(LINK) $^ $(ENGINE_LIBS) $(ZIP_LIBS) $(CLIENT_LIBS) -lm -o $@

# What `awsync` has inside: fixtures, templates, the policy of a role.
SHARED := $(sort $(shell find host/cli/share -type f 2>/dev/null)) packaging/policy.json packaging/trust.json
$(BUILD)/obj/host/cli/share_files.h: tools/embed $(SHARED)
	@mkdir -p $(@D)
	tools/embed $(SHARED) > $@
$(BUILD)/obj/host/cli/share.o: EXTRA_CFLAGS = -I$(BUILD)/obj/host/cli
$(BUILD)/obj/host/cli/share.o: $(BUILD)/obj/host/cli/share_files.h

$(BUILD)/lua/awsync/core.so: $(call archives,$(BINDING_ROOMS))
	@mkdir -p $(@D)
	$(LINK) -shared -Wl,--whole-archive $(call room_archive,host/binding) -Wl,--no-whole-archive $^ $(CLIENT_LIBS) -o $@

$(BUILD)/lua/%.lua: lua/%.lua
	@mkdir -p $(@D)
	cp $< $@

# Probes show C rooms to the specs; the interpreter is Lua's own with the sanitizer linked in. They stay loaded to the
# end (nodelete): LeakSanitizer dies of thread-local storage whose library has gone.
$(BUILD)/spec/probe/%.so: $(BUILD)/obj/spec/probe/%.o $(call archives,$(PROBE_ROOMS))
	@mkdir -p $(@D)
	$(LINK) -shared -Wl,-z,nodelete $^ $(ENGINE_LIBS) $(CLIENT_LIBS) -o $@

# The probe that lets allocations fail has other probes within, whose allocations it stands behind.
$(BUILD)/spec/probe/allocation.so: $(patsubst %,$(BUILD)/obj/spec/probe/%.o,allocation aws base codec envelope json record) \
  $(call archives,$(PROBE_ROOMS))
	@mkdir -p $(@D)
	$(LINK) -shared -Wl,-z,nodelete $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup free) $^ $(ENGINE_LIBS) $(CLIENT_LIBS) -o $@

$(BUILD)/spec/lua: $(BUILD)/obj/spec/support/interpreter.o
	@mkdir -p $(@D)
	$(LINK) -Wl,-E $^ -Wl,--whole-archive $(LUA_LIBS) -Wl,--no-whole-archive -lm -ldl -o $@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

deps:
	@tools/deps

run: deps
	@$(MAKE) --no-print-directory all
	$(BUILD)/awsync run examples/squares.lua

specs-ready: all $(PROBES) $(BUILD)/spec/lua

test: deps
	@$(MAKE) --no-print-directory specs-ready
	@AWSYNC_BUILD=$(BUILD) SANITIZE=$(SANITIZE) SPEC_LUA="$(SPEC_LUA)" tools/spec $(ROOM)

# ROW: a part of their names, for some of the rows only.
RUNS ?= 10
go-conformance: deps
	@$(MAKE) --no-print-directory all
	@AWSYNC_BUILD=$(BUILD) SANITIZE=$(SANITIZE) tools/go-conformance $(RUNS) '$(ROW)'

# Every room with its Lua-free callers, once more under the fuzzer's own flags.
FUZZERS     := $(patsubst spec/fuzz/%.c,build/fuzz/%,$(wildcard spec/fuzz/*.c))
FUZZ_FLAGS  := -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
SECONDS     ?= 60
build/fuzz/%: spec/fuzz/%.c FORCE
	@mkdir -p $(@D) build/fuzz/found/$*
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz/rooms \
	  CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' \
	  $(patsubst %,build/fuzz/rooms/obj/%.a,$(PROBE_ROOMS))
	clang $(FUZZ_FLAGS) -D_GNU_SOURCE -I. $(LUA_CFLAGS) $< $(patsubst %,build/fuzz/rooms/obj/%.a,$(PROBE_ROOMS)) \
	  $(LUA_LIBS) $(ENGINE_LIBS) $(CLIENT_LIBS) -lm -ldl -pthread -o $@
fuzz: $(FUZZERS)
	@set -e; for f in $(notdir $(FUZZERS)); do echo "== $$f"; \
	  build/fuzz/$$f -max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1 -verbosity=0 \
	    build/fuzz/found/$$f spec/fuzz/corpus/$$f; done

conformance: deps
	@$(MAKE) --no-print-directory all
	@AWSYNC_BUILD=$(BUILD) tools/conformance $(PARTY)

# bench/tools/NAME.c is a small program of a bench; BENCH_LIBS is what it is linked with.
BENCH_TOOLS := $(patsubst bench/tools/%.c,$(BUILD)/bench/%,$(wildcard bench/tools/*.c))
$(BUILD)/obj/bench/tools/%.o: EXTRA_CFLAGS = $(LUA_CFLAGS)
$(BUILD)/bench/%: $(BUILD)/obj/bench/tools/%.o
	@mkdir -p $(@D)
	$(LINK) $< $(BENCH_LIBS) -o $@
$(BUILD)/bench/floor $(BUILD)/bench/floor_lua: BENCH_LIBS = -static $(LUA_LIBS) -lm -Wl,--no-warnings
$(BUILD)/bench/bare_http: BENCH_LIBS = $(ENGINE_LIBS)
$(BUILD)/bench/sqs_meter: BENCH_LIBS = $(call archives,host/base) $(ENGINE_LIBS) $(CLIENT_LIBS)
$(BUILD)/bench/sqs_meter: $(call archives,host/base)
$(BUILD)/bench/sqs_load: BENCH_LIBS = $(call archives,sigv4 host/base) $(CLIENT_LIBS)
$(BUILD)/bench/sqs_load: $(call archives,sigv4 host/base)

# make bench BENCH="start codec": only those.
BENCH ?=
bench-ready: specs-ready bootstrap-static $(BENCH_TOOLS)
bench: deps
	@$(MAKE) --no-print-directory bench-ready
	@AWSYNC_BUILD=$(BUILD) tools/bench $(BENCH)

# Each bench/peers/NAME/install is told where to put its party: nothing of it is ours.
bench-peers: deps
	@$(MAKE) --no-print-directory bench-ready
	@set -e; for install in bench/peers/*/install; do $$install build/peers; done
	@AWSYNC_BUILD=$(BUILD) BENCH_PEERS=1 tools/bench $(BENCH)

valgrind: all
	@AWSYNC_BUILD=$(BUILD) tools/valgrind examples/squares.lua

C_FILES := $(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null)
lint: deps
	luacheck -q lua library examples spec packaging bench
	clang-format --dry-run -Werror $(C_FILES)
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability,performance --inline-suppr \
	  --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -I. -j2 sigv4 host
	tools/banned $(C_FILES)
	mandoc -Tlint -Wwarning man/awsync.1
	@$(MAKE) --no-print-directory all
	tools/symbols $(call archives,$(ROOMS))

format:
	clang-format -i $(C_FILES)

# bootstrap-static, rock, image, and what proves each of them.
include $(wildcard packaging/*.mk)

clean:
	rm -rf build
