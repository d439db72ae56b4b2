rockspec_format = "3.0"
package = "awsync"
version = "scm-1"

-- `luarocks make` builds the checkout that this file lies in; `make rock` says where the sources of a release are.
source = {
  url = ".",
}

description = {
  summary = "Go-style concurrency on AWS: channels over SQS, functions in other Lambdas",
  detailed = [[
    invoke(f, ...) runs a function in another Lambda, a Channel is an SQS queue, push and pop move values through it.
    With it come `bootstrap`, the Lambda runtime, and `awsync`, which runs the same program on one machine on a local AWS.
    It builds with libcurl, OpenSSL, libevent, libzip and uthash, which pkg-config and the compiler find.]],
  license = "MIT",
  labels = { "aws", "lambda", "sqs", "concurrency" },
}

supported_platforms = { "linux" }

dependencies = {
  "lua >= 5.4, < 5.5",
  "lua-cjson >= 2.1",
}

build = {
  type = "make",
  build_target = "rock-build",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
  },
  install_target = "rock-install",
  install_variables = {
    ROCK_BIN = "$(BINDIR)",
    ROCK_LIB = "$(LIBDIR)",
    ROCK_LUA = "$(LUADIR)",
  },
  -- Found by `luarocks show --rock-dir awsync`.
  copy_directories = { "docs", "library", "man" },
}
