"""Channels on somebody else's SQS: spec/conformance/channels.lua against moto's server, and against ours.

Usage: channels.py BUILD [NAME=URL...]; BUILD has `awsync` and `lua/`. Further servers can be named, e.g. an ElasticMQ
that is running: elasticmq=http://127.0.0.1:9324. Exit status 1 when a check fails.
"""

import os
import socket
import subprocess
import sys
import time

from party import Server


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Moto:
    """moto's server, and the variables that reach it."""

    def __init__(self):
        port = free_port()
        command = os.path.join(os.path.dirname(sys.executable), "moto_server")
        self.process = subprocess.Popen(
            [sys.executable, command, "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.variables = variables("http://127.0.0.1:%d" % port)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("moto_server did not start")
                time.sleep(0.1)
        raise SystemExit("moto_server does not answer")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def variables(url):
    return {
        "AWS_ENDPOINT_URL_SQS": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "outside",
        "AWS_SECRET_ACCESS_KEY": "outside",
    }


def run(name, build, values):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment.update(values)
    environment["LUA_PATH"] = build + "/lua/?.lua;;"
    environment["LUA_CPATH"] = build + "/lua/?.so;;"
    lua = os.environ.get("LUA", "lua5.4")
    return subprocess.run([lua, "spec/conformance/channels.lua", name], env=environment, timeout=300).returncode


def main(build, outside):
    failed = 0
    for name, start in [
        ("moto", Moto),
        ("awsync", lambda: Server(build + "/awsync", "examples/squares.lua")),
    ]:
        server = start()
        try:
            failed += run(name, build, server.variables) != 0
        finally:
            server.stop()
    for word in outside:
        name, _, url = word.partition("=")
        failed += run(name, build, variables(url)) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
