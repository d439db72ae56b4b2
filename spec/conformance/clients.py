"""boto3 and the AWS CLI as clients of `awsync serve`: outside parties that know AWS, not us.

Usage: clients.py AWSYNC PROGRAM. Each check prints a line; the last line is `N passed, N failed`.
"""

import base64
import json
import os
import signal
import subprocess
import sys

import boto3
import botocore.config
import botocore.exceptions

checks = []


def check(function):
    checks.append(function)
    return function


class Server:
    """`awsync serve`, with the variables that it printed."""

    def __init__(self, awsync, program):
        self.process = subprocess.Popen(
            [awsync, "serve", "--quiet", program], stdout=subprocess.PIPE, text=True
        )
        self.variables = {}
        while "AWS_SESSION_TOKEN" not in self.variables:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("awsync serve did not start")
            name, _, value = line.removeprefix("export ").rstrip("\n").partition("=")
            self.variables[name] = value

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def client(self, service, **changes):
        v = self.variables
        values = {
            "endpoint_url": v["AWS_ENDPOINT_URL"],
            "region_name": v["AWS_REGION"],
            "aws_access_key_id": v["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": v["AWS_SECRET_ACCESS_KEY"],
            "config": botocore.config.Config(retries={"max_attempts": 1}),
        }
        values.update(changes)
        return boto3.client(service, **values)

    def cli(self, *words, secret=None):
        environment = dict(os.environ, **self.variables)
        if secret is not None:
            environment["AWS_SECRET_ACCESS_KEY"] = secret
        command = os.path.join(os.path.dirname(sys.executable), "aws")
        # Version 1 of the CLI takes SQS's endpoint from its own table unless it is told one.
        words = [*words, "--endpoint-url", self.variables["AWS_ENDPOINT_URL"]]
        return subprocess.run(
            [sys.executable, command, *words], env=environment, capture_output=True, text=True
        )


@check
def boto3_queue(server):
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="boto")["QueueUrl"]
    assert sqs.get_queue_url(QueueName="boto")["QueueUrl"] == url
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="grüße",
        MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}},
    )
    assert sent["MD5OfMessageBody"] == "fee40dc24d0ad6a90c608052aa4e9e66"
    got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"])["Messages"]
    assert [m["Body"] for m in got] == ["grüße"]
    assert got[0]["MessageAttributes"]["a"]["StringValue"] == "b"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)


@check
def boto3_fifo_batch(server):
    sqs = server.client("sqs")
    url = sqs.create_queue(
        QueueName="boto.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    entries = [{"Id": str(i), "MessageBody": str(i), "MessageGroupId": "g"} for i in range(10)]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [m["Body"] for m in got] == [str(i) for i in range(10)]
    gone = sqs.delete_message_batch(
        QueueUrl=url, Entries=[{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in got]
    )
    assert len(gone["Successful"]) == 10
    sqs.delete_queue(QueueUrl=url)


@check
def boto3_invoke(server):
    functions = server.client("lambda")
    answer = functions.invoke(FunctionName="squares", LogType="Tail", Payload=b"{}")
    assert answer["StatusCode"] == 200 and "FunctionError" not in answer
    assert json.load(answer["Payload"]) == {"statusCode": 200, "body": "30"}
    assert "REPORT RequestId: " in base64.b64decode(answer["LogResult"]).decode()
    assert functions.invoke(FunctionName="squares", InvocationType="Event")["StatusCode"] == 202
    assert functions.invoke(FunctionName="squares", InvocationType="DryRun")["StatusCode"] == 204


@check
def boto3_errors(server):
    sqs = server.client("sqs")
    try:
        sqs.send_message(QueueUrl=server.variables["AWS_ENDPOINT_URL"] + "/123456789012/none", MessageBody="x")
        assert False, "a queue that does not exist took a message"
    except sqs.exceptions.QueueDoesNotExist as error:
        assert error.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    functions = server.client("lambda")
    try:
        functions.invoke(FunctionName="nobody")
        assert False, "a function that does not exist ran"
    except functions.exceptions.ResourceNotFoundException as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@check
def boto3_wrong_secret(server):
    expected = {"sqs": "SignatureDoesNotMatch", "lambda": "InvalidSignatureException"}
    calls = {"sqs": lambda c: c.list_queues(), "lambda": lambda c: c.invoke(FunctionName="squares")}
    for service, code in expected.items():
        try:
            calls[service](server.client(service, aws_secret_access_key="wrong"))
            assert False, service + " took a wrong secret"
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == code, error
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@check
def boto3_identity(server):
    assert server.client("sts").get_caller_identity()["Account"] == "123456789012"


@check
def cli_queue(server):
    made = server.cli("sqs", "create-queue", "--queue-name", "cli")
    assert made.returncode == 0, made.stderr
    url = json.loads(made.stdout)["QueueUrl"]
    sent = server.cli("sqs", "send-message", "--queue-url", url, "--message-body", "from the CLI")
    assert sent.returncode == 0, sent.stderr
    got = server.cli("sqs", "receive-message", "--queue-url", url)
    message = json.loads(got.stdout)["Messages"][0]
    assert message["Body"] == "from the CLI"
    gone = server.cli("sqs", "delete-message", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"])
    assert gone.returncode == 0, gone.stderr
    assert server.cli("sqs", "delete-queue", "--queue-url", url).returncode == 0


@check
def cli_invoke(server):
    called = server.cli("lambda", "invoke", "--function-name", "squares", "--log-type", "Tail", "/dev/stderr")
    assert called.returncode == 0, called.stderr
    assert '{"statusCode":200,"body":"30"}' in called.stderr
    assert json.loads(called.stdout)["StatusCode"] == 200


@check
def cli_wrong_secret(server):
    refused = server.cli("sqs", "list-queues", secret="wrong")
    assert refused.returncode != 0 and "SignatureDoesNotMatch" in refused.stderr, refused.stderr
    refused = server.cli("lambda", "invoke", "--function-name", "squares", "/dev/null", secret="wrong")
    assert refused.returncode != 0 and "InvalidSignatureException" in refused.stderr, refused.stderr


def main():
    server = Server(*sys.argv[1:])
    failed = 0
    try:
        for function in checks:
            try:
                function(server)
                print("ok     ", function.__name__)
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                print("FAILED ", function.__name__, "-", type(error).__name__, error)
    finally:
        server.stop()
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
