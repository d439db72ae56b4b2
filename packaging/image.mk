# `make image`: the container image of a program. `make test-image`: builds one and runs it, with no registry, on a base of its own.
#
#   make image PROGRAM=FILE.lua|FOLDER IMAGE=NAME
#   BASE=IMAGE         what the program's image stands on (debian:12-slim)
#   BUILD_BASE=IMAGE   what it is built in (debian:12)
#   KEY=FILE           the key that signs spawned calls; without it the build makes one
#   TOOL=docker|podman|buildah

PROGRAM    ?= examples/squares.lua
IMAGE      ?= awsync
BASE       ?=
BUILD_BASE ?=
KEY        ?=
TOOL       ?=

.PHONY: image test-image
image:
	@BASE='$(BASE)' BUILD_BASE='$(BUILD_BASE)' KEY='$(KEY)' TOOL='$(TOOL)' packaging/image '$(IMAGE)' '$(PROGRAM)'

test-image: all
	@packaging/deps image
	@packaging/test-image $(BUILD)
