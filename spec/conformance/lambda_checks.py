"""What any boto3 has to see of Lambda when it calls answers.lua."""

import base64
import json

from party import refused
from sqs_checks import ACCOUNT, Queue, receive

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:answers"


def invoke(server, event, **more):
    payload = event if isinstance(event, (str, bytes)) else json.dumps(event)
    return server.client("lambda").invoke(FunctionName="answers", Payload=payload, **more)


def a_synchronous_call_has_its_answer(server):
    answer = invoke(server, {"act": "squares"})
    assert answer["StatusCode"] == 200 and "FunctionError" not in answer and "LogResult" not in answer
    assert answer["ExecutedVersion"] == "$LATEST"
    assert json.load(answer["Payload"]) == {"statusCode": 200, "body": "30"}
    event = {"n": 9007199254740993, "f": 0.1, "list": [1, 2.5], "text": "grüße", "none": None}
    assert json.load(invoke(server, event)["Payload"]) == event


def the_tail_of_the_log_comes_with_the_answer(server):
    answer = invoke(server, {"act": "print", "text": "seen by the caller"}, LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    request = answer["ResponseMetadata"]["RequestId"]
    assert lines[0] == f"START RequestId: {request} Version: $LATEST", lines
    assert any(line.endswith("seen by the caller") for line in lines[1:-2]), lines
    assert lines[-2] == f"END RequestId: {request}", lines
    assert lines[-1].startswith(f"REPORT RequestId: {request}\tDuration: "), lines
    tail = base64.b64decode(invoke(server, {"act": "print", "text": "x" * 9000}, LogType="Tail")["LogResult"])
    assert len(tail) == 4096 and b"REPORT RequestId: " in tail


def the_context_is_what_the_caller_knows(server):
    client = {"custom": {"tenant": "blue"}}
    answer = invoke(server, {"act": "context"}, ClientContext=base64.b64encode(json.dumps(client).encode()).decode())
    context = json.load(answer["Payload"])
    assert 0 < context.pop("remaining") <= 3
    assert context == {
        "request_id": answer["ResponseMetadata"]["RequestId"],
        "name": "answers",
        "version": "$LATEST",
        "arn": ARN,
        "memory": 128,
        "client": client,
    }, context


def all_names_of_the_function_reach_it(server):
    functions = server.client("lambda")
    for name in ("answers", ARN, ARN + ":$LATEST", f"{ACCOUNT}:function:answers", "answers:$LATEST"):
        assert functions.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204, name
    assert functions.invoke(FunctionName="answers", Qualifier="$LATEST", InvocationType="DryRun")["StatusCode"] == 204


def an_error_of_the_function_is_an_answer(server):
    answer = invoke(server, {"act": "error", "text": "sold out"}, LogType="Tail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.load(answer["Payload"])["errorMessage"] == "sold out"
    assert "sold out" in base64.b64decode(answer["LogResult"]).decode()


def deaths_of_a_worker_are_answers(server):
    for event, kind, text in (
        ({"act": "exit", "status": 3}, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ({"act": "hang"}, "Sandbox.Timedout", "Task timed out after 3.00 seconds"),
        ({"act": "big", "bytes": 6291557}, "Function.ResponseSizeTooLarge", "an answer may have 6291456"),
    ):
        answer = invoke(server, event)
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        error = json.load(answer["Payload"])
        assert error["errorType"] == kind and text in error["errorMessage"], error
    assert len(invoke(server, {"act": "big", "bytes": 6291456})["Payload"].read()) == 6291456


def an_event_is_accepted_and_its_failure_goes_to_a_queue(server):
    functions, sqs = server.client("lambda"), server.client("sqs")
    with Queue(sqs, "failures") as url:
        functions.put_function_event_invoke_config(
            FunctionName="answers",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:failures"}},
        )
        got = functions.get_function_event_invoke_config(FunctionName="answers")
        assert (got["FunctionArn"].split(":$")[0], got["MaximumRetryAttempts"]) == (ARN, 0)
        good = invoke(server, {"act": "print", "text": "x"}, InvocationType="Event")
        bad = invoke(server, {"act": "error", "text": "sold out"}, InvocationType="Event")
        for answer in (good, bad):
            assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
        records = [json.loads(m["Body"]) for m in receive(sqs, url, WaitTimeSeconds=20)]
        assert [r["responsePayload"]["errorMessage"] for r in records] == ["sold out"], records
        context = records[0]["requestContext"]
        assert context["requestId"] == bad["ResponseMetadata"]["RequestId"]
        assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 1)
        functions.delete_function_event_invoke_config(FunctionName="answers")


def errors_of_lambda_have_their_class(server):
    functions = server.client("lambda")
    classes = functions.exceptions
    error = refused("ResourceNotFoundException", functions.invoke, 404, FunctionName="nobody")
    assert isinstance(error, classes.ResourceNotFoundException), type(error)
    assert error.response["Error"]["Message"] == f"Function not found: {ARN[:-7]}nobody:$LATEST"
    error = refused("InvalidRequestContentException", functions.invoke, 400, FunctionName="answers", Payload=b"{")
    assert isinstance(error, classes.InvalidRequestContentException), type(error)
    for kind, size in (("Event", 1048576), ("RequestResponse", 6291456)):
        error = refused(
            "RequestTooLargeException",
            functions.invoke,
            413,
            FunctionName="answers",
            InvocationType=kind,
            Payload=b'"' + b"x" * (size - 1) + b'"',
        )
        assert isinstance(error, classes.RequestTooLargeException), type(error)
    refused("InvalidSignatureException", server.client("lambda", aws_secret_access_key="wrong").get_function_concurrency,
            403, FunctionName="answers")
    refused("UnrecognizedClientException", server.client("lambda", aws_access_key_id="AKIAIOSFODNN7EXAMPLE").invoke,
            403, FunctionName="answers")


def a_reserved_concurrency_of_0_throttles(server):
    functions = server.client("lambda")
    functions.put_function_concurrency(FunctionName="answers", ReservedConcurrentExecutions=0)
    try:
        assert functions.get_function_concurrency(FunctionName="answers")["ReservedConcurrentExecutions"] == 0
        error = refused("TooManyRequestsException", functions.invoke, 429, FunctionName="answers")
        assert isinstance(error, functions.exceptions.TooManyRequestsException), type(error)
        assert error.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded", error.response
    finally:
        functions.delete_function_concurrency(FunctionName="answers")
    assert invoke(server, "1")["StatusCode"] == 200


def sts_knows_the_caller(server):
    got = server.client("sts").get_caller_identity()
    assert got["Account"] == ACCOUNT and got["Arn"].startswith(f"arn:aws:iam::{ACCOUNT}:"), got
    refused("SignatureDoesNotMatch", server.client("sts", aws_secret_access_key="wrong").get_caller_identity, 403)
    refused("InvalidClientTokenId", server.client("sts", aws_access_key_id="AKIAIOSFODNN7EXAMPLE").get_caller_identity,
            403)


ALL = [
    a_synchronous_call_has_its_answer,
    the_tail_of_the_log_comes_with_the_answer,
    the_context_is_what_the_caller_knows,
    all_names_of_the_function_reach_it,
    an_error_of_the_function_is_an_answer,
    deaths_of_a_worker_are_answers,
    an_event_is_accepted_and_its_failure_goes_to_a_queue,
    errors_of_lambda_have_their_class,
    a_reserved_concurrency_of_0_throttles,
    sts_knows_the_caller,
]
