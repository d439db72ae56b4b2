"""Our `bootstrap` under AWS's runtime interface emulator.

Usage: rie.py BUILD RIE; BUILD has `awsync`, `bootstrap` and `lua/`, RIE is the emulator's program. Each check prints a
line; the last line is `N passed, N failed`.
"""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

from deploy import Moto
from party import Checks, Server, free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = "2f" * 32
check = Checks()


class Rie:
    """The emulator with our bootstrap: one function, one invocation at a time."""

    def __init__(self, handler="answers.main", root=HERE, timeout=3, **variables):
        build, program = (os.path.abspath(word) for word in sys.argv[1:3])
        self.port, api = free_port(), free_port()
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [
                program,
                "--runtime-interface-emulator-address",
                f"127.0.0.1:{self.port}",
                "--runtime-api-address",
                f"127.0.0.1:{api}",
                build + "/bootstrap",
                handler,
            ],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,  # what it starts ends with it
            env={
                "PATH": os.environ["PATH"],
                "LUA_PATH": build + "/lua/?.lua;;",
                "_HANDLER": handler,
                "LAMBDA_TASK_ROOT": root,
                "AWS_LAMBDA_FUNCTION_NAME": "answers",
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                "AWS_REGION": "us-east-1",
                "AWSYNC_KEY": KEY,
                **variables,
            },
        )
        wait_for("the emulator", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError("the emulator did not start: " + self.text())
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def text(self):
        """What the emulator and the function have written so far."""
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.log.close()

    def post(self, event, **headers):
        """Status and body of an invocation."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def invoke(self, event, **headers):
        status, body = self.post(event, **headers)
        assert status == 200, (status, body)
        return json.loads(body)


def endpoints(server):
    """What a function needs to find the SQS and the Lambda of another server."""
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return {name: server.variables[name] for name in names}


@check
def events_are_answered_one_after_the_other():
    with Rie() as rie:
        for i in range(20):
            event = {"n": 9007199254740993 + i, "text": "grüße"}
            assert rie.invoke(event) == event
        assert rie.text().count("INIT START") == 1, "the process was not the same"


@check
def the_context_is_what_the_emulator_says():
    with Rie(timeout=30) as rie:
        client = base64.b64encode(b'{"custom":{"tenant":"blue"}}').decode()
        context = rie.invoke({"act": "context"}, **{"X-Amz-Client-Context": client})
        assert 20 < context.pop("remaining") <= 30
        assert f"START RequestId: {context.pop('request_id')} Version: $LATEST" in rie.text()
        assert context == {
            "name": "answers",
            "version": "$LATEST",
            "arn": "arn:aws:lambda:us-east-1:012345678912:function:answers",
            "memory": 256,
            "client": {"custom": {"tenant": "blue"}},
        }, context


@check
def what_it_prints_is_in_the_log():
    with Rie() as rie:
        assert rie.invoke({"act": "print", "text": "from Lua"}) == 8
        assert "from Lua\n" in rie.text()


@check
def an_error_is_an_answer_and_the_process_lives_on():
    with Rie() as rie:
        for _ in range(2):
            error = rie.invoke({"act": "error", "text": "sold out"})
            assert (error["errorMessage"], error["errorType"]) == ("sold out", "Function.Error"), error
            assert all(isinstance(line, str) for line in error["stackTrace"]), error
        assert rie.invoke({"n": 1}) == {"n": 1}
        assert rie.text().count("INIT START") == 1


@check
def an_exit_is_seen_and_the_next_event_has_a_new_process():
    with Rie() as rie:
        status, body = rie.post({"act": "exit", "status": 3})
        error = json.loads(body)
        assert error["errorType"] == "Runtime.ExitError" and "exit status 3" in error["errorMessage"], (status, body)
        assert rie.invoke({"n": 1}) == {"n": 1}
        assert rie.text().count("INIT START") == 2


@check
def a_call_that_hangs_is_ended_by_the_emulator():
    with Rie(timeout=2) as rie:
        _, body = rie.post({"act": "hang"})
        assert "Task timed out after 2.00 seconds" in body, body
        assert rie.invoke({"n": 1}) == {"n": 1}


@check
def a_wait_that_is_too_long_is_an_error_before_the_deadline():
    with Rie(timeout=2) as rie:
        error = rie.invoke({"act": "sleep", "seconds": 60})
        assert "the time of this invocation is almost over" in error["errorMessage"], error
        assert rie.invoke({"n": 1}) == {"n": 1}
        assert rie.text().count("INIT START") == 1


@check
def an_answer_over_the_limit_is_an_error_and_one_at_it_is_none():
    with Rie(timeout=30) as rie:
        assert len(rie.invoke({"act": "big", "bytes": 6291456})) == 6291454
        error = rie.invoke({"act": "big", "bytes": 6291457})
        assert error["errorType"] == "Function.ResponseSizeTooLarge", error


@check
def a_handler_that_is_not_there_is_an_init_error():
    for handler, kind in (("answers.nobody", "Runtime.HandlerNotFound"), ("nothing.main", "Runtime.ImportModuleError")):
        with Rie(handler) as rie:
            _, body = rie.post({})
            assert json.loads(body)["errorType"] == kind, body


@check
def a_program_that_does_not_load_is_an_init_error():
    with tempfile.TemporaryDirectory() as root:
        with open(root + "/bad.lua", "w", encoding="utf-8") as file:
            file.write("function main(\n")
        with Rie("bad.main", root) as rie:
            _, body = rie.post({})
            assert "bad.lua:" in json.loads(body)["errorMessage"], body


@check
def a_channel_works_on_moto():
    moto = Moto()
    try:
        with Rie(timeout=30, **{k: v for k, v in moto.variables().items() if k.startswith("AWS_")}) as rie:
            assert rie.invoke({"act": "channel", "n": 25}) == {"statusCode": 200, "body": "325"}
        assert not moto.client("sqs").list_queues().get("QueueUrls")
    finally:
        moto.process.terminate()
        moto.process.wait(10)


@check
def main_runs_under_the_emulator_and_its_five_calls_on_our_engine():
    environment = dict(os.environ, AWSYNC_KEY=KEY)
    server = Server(sys.argv[1] + "/awsync", os.path.join(HERE, "answers.lua"), environment=environment)
    try:
        with Rie(timeout=30, **endpoints(server)) as rie:
            assert rie.invoke({"act": "squares"}) == {"statusCode": 200, "body": "30"}
        left = server.client("sqs").list_queues().get("QueueUrls", [])
        # The claims of a function's calls are kept for all of its instances, the rest goes with the invocation.
        assert [url.rsplit("/", 1)[1] for url in left] == ["awsync-claims-answers.fifo"], left
    finally:
        server.stop()


def main():
    version = os.path.join(os.path.dirname(sys.argv[2]), "version")
    if os.path.exists(version):
        with open(version, encoding="utf-8") as file:
            print("the emulator of AWS's SAM CLI", file.read().strip())
    return check.run()


if __name__ == "__main__":
    sys.exit(main())
