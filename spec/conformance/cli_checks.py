"""The AWS CLI, of the interpreter that runs this, as a client of the engine: old or new, the checks are the same."""

import base64
import json
import os
import sys
import tempfile


def cli(server, *words, secret=None):
    return server.cli(sys.executable, *words, secret=secret)


def done(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout) if result.stdout.strip() else {}


def invoke(server, *words):
    """What `aws lambda invoke` printed, and the answer of the function; None when it did not answer."""
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "answer")
        printed = done(cli(server, "lambda", "invoke", "--function-name", "answers", *words, file))
        with open(file, encoding="utf-8") as answer:
            text = answer.read()
        return printed, json.loads(text) if text else None


def cli_moves_a_message(server):
    url = done(cli(server, "sqs", "create-queue", "--queue-name", "cli"))["QueueUrl"]
    sent = done(cli(server, "sqs", "send-message", "--queue-url", url, "--message-body", "from the CLI"))
    message = done(cli(server, "sqs", "receive-message", "--queue-url", url))["Messages"][0]
    assert (message["Body"], message["MessageId"]) == ("from the CLI", sent["MessageId"])
    done(cli(server, "sqs", "delete-message", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"]))
    counts = done(cli(server, "sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All"))
    assert counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"
    done(cli(server, "sqs", "delete-queue", "--queue-url", url))


def cli_invokes_and_gets_the_log(server):
    printed, answer = invoke(server, "--log-type", "Tail", "--payload", '{"act":"squares"}')
    assert (printed["StatusCode"], answer) == (200, {"statusCode": 200, "body": "30"}), (printed, answer)
    assert printed["ExecutedVersion"] == "$LATEST" and "FunctionError" not in printed
    log = base64.b64decode(printed["LogResult"]).decode()
    assert log.startswith("START RequestId: ") and "\nREPORT RequestId: " in log, log


def cli_invokes_an_event_and_a_dry_run(server):
    assert invoke(server, "--invocation-type", "Event") == ({"StatusCode": 202}, None)
    assert invoke(server, "--invocation-type", "DryRun")[0]["StatusCode"] == 204


def cli_tells_an_error_of_the_function(server):
    printed, answer = invoke(server, "--payload", '{"act":"error","text":"sold out"}')
    assert (printed["StatusCode"], printed["FunctionError"]) == (200, "Unhandled"), printed
    assert answer["errorMessage"] == "sold out", answer


def cli_names_the_errors(server):
    nowhere = server.variables["AWS_ENDPOINT_URL"] + "/123456789012/nowhere"
    for code, words, secret in (
        ("NonExistentQueue", ("sqs", "send-message", "--queue-url", nowhere, "--message-body", "x"), None),
        ("ResourceNotFoundException", ("lambda", "invoke", "--function-name", "nobody", "/dev/null"), None),
        ("SignatureDoesNotMatch", ("sqs", "list-queues"), "wrong"),
        ("InvalidSignatureException", ("lambda", "invoke", "--function-name", "answers", "/dev/null"), "wrong"),
        ("SignatureDoesNotMatch", ("sts", "get-caller-identity"), "wrong"),
    ):
        result = cli(server, *words, secret=secret)
        assert result.returncode != 0 and f"({code})" in result.stderr.replace(
            "AWS.SimpleQueueService.", ""
        ), (words, result.returncode, result.stderr)


def cli_knows_who_it_is(server):
    assert done(cli(server, "sts", "get-caller-identity"))["Account"] == "123456789012"


ALL = [
    cli_moves_a_message,
    cli_invokes_and_gets_the_log,
    cli_invokes_an_event_and_a_dry_run,
    cli_tells_an_error_of_the_function,
    cli_names_the_errors,
    cli_knows_who_it_is,
]
