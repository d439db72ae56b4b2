"""Channels on somebody else's SQS: spec/conformance/channels.lua against moto's server, and against ours; or against
ElasticMQ.

Usage: channels.py BUILD [NAME=URL...]; BUILD has `awsync` and `lua/`. Further servers can be named, e.g. one that is
running: elsewhere=http://127.0.0.1:9324. With `elasticmq JARS FOLDER` in place of them: only ElasticMQ, whose jars are
in JARS; its log goes to FOLDER. Exit status 1 when a check fails.
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


def wait_for(process, port, name):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit(name + " did not start")
            time.sleep(0.1)
    process.kill()
    raise SystemExit(name + " does not answer")


class Child:
    """A server of somebody else's as a child process, and the variables that reach it."""

    def __init__(self, name, command, port, output):
        self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        self.variables = variables("http://127.0.0.1:%d" % port)
        wait_for(self.process, port, name)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def moto():
    port = free_port()
    command = os.path.join(os.path.dirname(sys.executable), "moto_server")
    return Child("moto_server", [sys.executable, command, "-H", "127.0.0.1", "-p", str(port)], port, subprocess.DEVNULL)


ELASTICMQ = """include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = %(port)d, context-path = "" }
rest-sqs { enabled = true, bind-port = %(port)d, bind-hostname = "127.0.0.1", sqs-limits = strict }
rest-stats { enabled = false }
"""


def elasticmq(jars, folder):
    port = free_port()
    settings = os.path.join(folder, "elasticmq.conf")
    with open(settings, "w", encoding="utf-8") as out:
        out.write(ELASTICMQ % {"port": port})
    command = ["java", "-Dconfig.file=" + settings, "-cp", jars + "/*", "org.elasticmq.server.Main"]
    with open(os.path.join(folder, "elasticmq.log"), "wb") as log:
        return Child("ElasticMQ", command, port, log)


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
    if outside[:1] == ["elasticmq"]:
        _, jars, folder = outside
        own = [("elasticmq", lambda: elasticmq(jars, folder))]
        outside = []
    else:
        own = [("moto", moto), ("awsync", lambda: Server(build + "/awsync", "examples/squares.lua"))]
    failed = 0
    for name, start in own:
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
