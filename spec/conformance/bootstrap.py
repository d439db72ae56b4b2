"""AWS's Python runtime client (awslambdaric) as the runtime of a function on our engine: `awsync serve --bootstrap`.

Usage: bootstrap.py AWSYNC, by an interpreter that has awslambdaric and boto3. Each check prints a line; the last line
is `N passed, N failed`.
"""

import base64
import concurrent.futures
import importlib.metadata
import json
import os
import sys

from party import Checks, Server, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
check = Checks()


class Function:
    """`awsync serve` with a file of this folder, run by awslambdaric."""

    def __init__(self, name, *options):
        command = f"{sys.executable} -m awslambdaric {name}.main"
        file = os.path.join(HERE, name + ".py")
        self.name = name
        self.server = Server(sys.argv[1], file, "--bootstrap", command, "--memory", "512", *options)
        self.client = self.server.client("lambda")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()

    def invoke(self, event, **more):
        return self.client.invoke(FunctionName=self.name, Payload=json.dumps(event), **more)


def answer(called):
    assert called["StatusCode"] == 200 and "FunctionError" not in called, called["Payload"].read()
    return json.load(called["Payload"])


def error(called):
    assert (called["StatusCode"], called["FunctionError"]) == (200, "Unhandled")
    return json.load(called["Payload"])


@check
def the_squares_of_five_calls_add_up_to_30():
    with Function("squares") as f:
        assert answer(f.invoke({})) == 30
        assert answer(f.invoke({})) == 30  # by processes that are warm
        assert f.server.client("sqs").list_queues().get("QueueUrls", []) == []


@check
def five_mains_at_once_do_not_meet():
    with Function("squares", "--concurrency", "20") as f, concurrent.futures.ThreadPoolExecutor(5) as pool:
        assert [answer(called) for called in pool.map(f.invoke, [{}] * 5)] == [30] * 5


@check
def the_context_is_that_of_lambda():
    with Function("handler", "--timeout", "30") as f:
        called = f.invoke({"act": "context"})
        context = answer(called)
        assert 0 < context.pop("remaining") <= 30000
        assert "[$LATEST]" in context.pop("stream")
        assert context == {
            "id": called["ResponseMetadata"]["RequestId"],
            "name": "handler",
            "version": "$LATEST",
            "arn": "arn:aws:lambda:us-east-1:123456789012:function:handler",
            "memory": "512",
            "group": "/aws/lambda/handler",
        }, context


@check
def an_exception_is_a_function_error():
    with Function("handler") as f:
        called = f.invoke({"act": "raise", "text": "grüße"}, LogType="Tail")
        got = error(called)
        assert (got["errorType"], got["errorMessage"]) == ("SoldOut", "grüße"), got
        assert any("in main" in line for line in got["stackTrace"]), got
        assert "SoldOut: grüße" in base64.b64decode(called["LogResult"]).decode()
        assert answer(f.invoke({"n": 1})) == {"n": 1}  # the process lives on


@check
def what_it_prints_is_in_the_log():
    with Function("handler") as f:
        called = f.invoke({"act": "print", "text": "from Python"}, LogType="Tail")
        assert "\nfrom Python\n" in base64.b64decode(called["LogResult"]).decode()


@check
def its_death_is_an_answer_and_another_takes_its_place():
    with Function("handler", "--timeout", "3") as f:
        got = error(f.invoke({"act": "exit", "status": 5}))
        assert got["errorType"] == "Runtime.ExitError" and "exit status 5" in got["errorMessage"], got
        got = error(f.invoke({"act": "hang"}))
        assert got["errorType"] == "Sandbox.Timedout", got
        assert answer(f.invoke({"n": 1})) == {"n": 1}


@check
def a_module_that_does_not_load_is_an_init_error():
    with Function("handler", "--env", "BROKEN=1") as f:
        got = error(f.invoke({}))
        assert (got["errorType"], got["errorMessage"]) == ("ValueError", "broken at import"), got


@check
def an_event_that_fails_leaves_its_record():
    with Function("handler") as f:
        sqs = f.server.client("sqs")
        url = sqs.create_queue(QueueName="failures")["QueueUrl"]
        f.client.put_function_event_invoke_config(
            FunctionName="handler",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failures"}},
        )
        assert f.invoke({"act": "raise", "text": "late"}, InvocationType="Event")["StatusCode"] == 202
        messages = wait_for(
            "the record", lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages")
        )
        record = json.loads(messages[0]["Body"])
        assert record["responsePayload"]["errorMessage"] == "late", record
        assert record["responseContext"]["functionError"] == "Unhandled", record


def main():
    names = ("awslambdaric", "boto3")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names), "on", sys.version.split()[0])
    return check.run()


if __name__ == "__main__":
    sys.exit(main())
