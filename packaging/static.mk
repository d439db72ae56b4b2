# `make bootstrap-static`: build/static/bootstrap, the runtime as it goes into zips and images: libcurl, OpenSSL and Lua inside, glibc
# alone shared, Amazon's root certificates built in.
#
#   make bootstrap-static ROOTS=FILE.pem    other certificates instead (for a private endpoint; AWS_CA_BUNDLE does it at run time)
#   make test-static

ROOTS      ?=
STATIC_OUT ?= $(BUILD)/static
# Built once for all build folders.
STATIC_CURL := build/curl

STATIC_CFLAGS := -O2 -ffunction-sections -fdata-sections
STATIC_BUILD  := $(BUILD)/static/rooms
STATIC_ROOMS  := $(patsubst %,$(STATIC_BUILD)/obj/%.a,$(RUNTIME_ROOMS))
STATIC_MAIN   := $(STATIC_BUILD)/obj/host/runtime/main.o
# pkg-config knows what a static libcrypto needs in its turn.
STATIC_LIBS    = $(STATIC_CURL)/libcurl.a -Wl,-Bstatic $(shell pkg-config --static --libs openssl) -Wl,-Bdynamic

.PHONY: bootstrap-static test-static
bootstrap-static:
	@packaging/deps static
	@packaging/curl $(STATIC_CURL)
	@$(MAKE) --no-print-directory SANITIZE= BUILD=$(STATIC_BUILD) CFLAGS='$(STATIC_CFLAGS)' \
	  DEP_CFLAGS='-DCURL_STATICLIB -I$(STATIC_CURL)/include' $(STATIC_MAIN) $(STATIC_ROOMS)
	@mkdir -p $(STATIC_OUT)
	packaging/roots $(ROOTS) > $(STATIC_OUT)/roots_pem.h
	$(CC) $(WARN) $(STATIC_CFLAGS) -fPIC -fvisibility=hidden -D_GNU_SOURCE -I. -I$(STATIC_CURL)/include -I$(STATIC_OUT) \
	  -c packaging/roots.c -o $(STATIC_OUT)/roots.o
	$(CC) $(STATIC_CFLAGS) $(LDFLAGS) -pthread -Wl,--gc-sections -Wl,-z,now -s \
	  -Wl,--dynamic-list=packaging/lua.exports $(STATIC_MAIN) $(STATIC_OUT)/roots.o $(STATIC_ROOMS) \
	  -Wl,--whole-archive $(LUA_LIBS) -Wl,--no-whole-archive $(STATIC_LIBS) -lm -o $(STATIC_OUT)/bootstrap
	@packaging/check-static $(STATIC_OUT)/bootstrap

test-static: all bootstrap-static
	@AWSYNC_BUILD=$(BUILD) tools/spec ../packaging/static
