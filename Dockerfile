# The container image of a program for Lambda. `make image PROGRAM=FILE.lua` or, by hand:
#
#   docker build --build-arg PROGRAM=squares.lua --tag squares .
#
# PROGRAM is a Lua file, or a folder with a main.lua, in the build context. The key that signs spawned calls is made by the build, or
# given by `--secret id=awsync_key,src=FILE`: so that a new image can answer calls that the one before has sent.
# BASE: any image with glibc 2.34 or newer; nothing runs in it while the image is made. BUILD_BASE: a Debian or Ubuntu.
ARG BUILD_BASE=docker.io/library/debian:12
ARG BASE=docker.io/library/debian:12-slim

FROM ${BUILD_BASE} AS build
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends make >/dev/null
WORKDIR /src
COPY packaging/deps packaging/deps
RUN packaging/deps static
COPY . .
RUN make bootstrap-static
ARG PROGRAM=examples/squares.lua
COPY ${PROGRAM} /program/
RUN --mount=type=secret,id=awsync_key packaging/image-root /image /program

FROM ${BASE}
COPY --from=build /image/opt/awsync /opt/awsync
COPY --from=build /image/var/task /var/task
ENV LAMBDA_TASK_ROOT=/var/task
WORKDIR /var/task
# Lambda takes a user of its own with no more rights than this one.
USER 65534:65534
ENTRYPOINT ["/opt/awsync/bin/bootstrap"]
CMD ["main.main"]
