# `make bootstrap-static`: build/static/bootstrap, the runtime as it goes into zips and images: libcurl, OpenSSL and Lua inside, glibc
# alone shared, Amazon's root certificates built in.
#
#   make bootstrap-static ARCH=arm64        for the other architecture, by a cross compiler: build/static/arm64/bootstrap
#   make bootstrap-static ROOTS=FILE.pem    other certificates instead (for a private endpoint; AWS_CA_BUNDLE does it at run time)
#   make bootstrap-static PIE=1             its own code at a random address too, as that of the libraries, the heap and the stack is
#                                           anyhow: 20,000 relocations and 0.4 ms more for each start (docs/performance.md)
#   make test-static                        whom it trusts, where it runs
#   make test-arm64                         the other one, under qemu's emulation of a process

ROOTS      ?=
ARCH       ?=
PIE        ?=

STATIC_CFLAGS := -O2 -ffunction-sections -fdata-sections
STATIC_HERE   := $(subst aarch64,arm64,$(shell uname -m))
ifeq ($(filter-out $(STATIC_HERE),$(ARCH)),)
  STATIC_OUT  ?= $(BUILD)/static
  # Built once for all build folders.
  STATIC_CURL := build/curl
  STATIC_DEP  :=
  # pkg-config knows what a static libcrypto needs in its turn.
  STATIC_SSL   = $(shell pkg-config --static --libs openssl)
  STATIC_MAKE  = $(MAKE) --no-print-directory
else
  STATIC_OUT  ?= $(BUILD)/static/$(ARCH)
  STATIC_CURL := build/curl-$(ARCH)
  STATIC_GNU  := $(subst arm64,aarch64,$(ARCH))-linux-gnu
  STATIC_ROOT := build/sysroot/$(ARCH)
  STATIC_LIB  := $(STATIC_ROOT)/usr/lib/$(STATIC_GNU)
  STATIC_DEP  := -I$(STATIC_ROOT)/usr/include -I$(STATIC_ROOT)/usr/include/$(STATIC_GNU)
  STATIC_SSL  := $(STATIC_LIB)/libssl.a $(STATIC_LIB)/libcrypto.a -ldl -pthread
  STATIC_MAKE  = $(MAKE) --no-print-directory CC=$(STATIC_GNU)-gcc AR=$(STATIC_GNU)-ar LUA_CFLAGS=-I$(STATIC_ROOT)/usr/include/lua5.4
  bootstrap-static: override CC := $(STATIC_GNU)-gcc
  bootstrap-static: override LUA_LIBS := $(STATIC_LIB)/liblua5.4.a
endif
STATIC_BUILD := $(STATIC_OUT)/rooms
STATIC_ROOMS := $(patsubst %,$(STATIC_BUILD)/obj/%.a,$(RUNTIME_ROOMS))
STATIC_MAIN  := $(STATIC_BUILD)/obj/host/runtime/main.o

.PHONY: bootstrap-static test-static test-arm64
bootstrap-static:
	@packaging/deps static $(STATIC_GNU)
	@$(if $(STATIC_ROOT),packaging/sysroot $(STATIC_ROOT) $(subst x86_64,amd64,$(ARCH)))
	@packaging/curl $(STATIC_CURL) $(STATIC_GNU) $(STATIC_ROOT)
	@$(STATIC_MAKE) SANITIZE= BUILD=$(STATIC_BUILD) CFLAGS='$(STATIC_CFLAGS)' \
	  DEP_CFLAGS='-DCURL_STATICLIB -I$(STATIC_CURL)/include $(STATIC_DEP)' $(STATIC_MAIN) $(STATIC_ROOMS)
	@mkdir -p $(STATIC_OUT)
	packaging/roots $(ROOTS) > $(STATIC_OUT)/roots_pem.h
	$(CC) $(WARN) $(STATIC_CFLAGS) -fPIC -fvisibility=hidden -D_GNU_SOURCE -I. -I$(STATIC_CURL)/include -I$(STATIC_OUT) \
	  $(STATIC_DEP) -c packaging/roots.c -o $(STATIC_OUT)/roots.o
	$(CC) $(STATIC_CFLAGS) $(LDFLAGS) -pthread $(if $(PIE),-pie,-no-pie) -Wl,--gc-sections -Wl,-z,now -s \
	  -Wl,-T,packaging/front.ld -Wl,--dynamic-list=packaging/lua.exports $(STATIC_MAIN) $(STATIC_OUT)/roots.o $(STATIC_ROOMS) \
	  -Wl,--whole-archive $(LUA_LIBS) -Wl,--no-whole-archive $(STATIC_CURL)/libcurl.a \
	  -Wl,-Bstatic $(STATIC_SSL) -Wl,-Bdynamic -lm -o $(STATIC_OUT)/bootstrap
	@$(if $(STATIC_ROOT),cp -L $(STATIC_LIB)/lua/5.4/cjson.so $(STATIC_OUT)/,ln -sfn ../lua $(STATIC_OUT)/lua)
	@packaging/check-static $(STATIC_OUT)/bootstrap $(STATIC_GNU)

test-static: all bootstrap-static
	@AWSYNC_BUILD=$(BUILD) tools/spec ../packaging/static

test-arm64: all
	@packaging/deps arm64
	@$(MAKE) --no-print-directory bootstrap-static ARCH=arm64
	@AWSYNC_BUILD=$(BUILD) tools/spec ../packaging/arm64
