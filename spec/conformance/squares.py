"""The README's program in Python: a queue, five asynchronous calls of itself, five receives; the result is 30.

It runs on Lambda, and on the engine with AWS's runtime client for Python (PyPI: awslambdaric, boto3):

    awsync serve --bootstrap "PYTHON -m awslambdaric squares.main" spec/conformance/squares.py

PYTHON: an interpreter that has both packages; `make conformance` makes one, build/peers/bin/python. Then any client
invokes the function `squares`: aws lambda invoke --function-name squares /dev/stdout
"""

import json

import boto3

sqs = boto3.client("sqs")
functions = boto3.client("lambda")


def square(event):
    """Runs in another lambda."""
    sqs.send_message(QueueUrl=event["queue"], MessageBody=json.dumps(event["i"] * event["i"]))


def collect(url, count):
    """The sum of so many messages."""
    total = 0
    while count > 0:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=count, WaitTimeSeconds=20)
        for message in got.get("Messages", []):
            total += json.loads(message["Body"])
            count -= 1
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return total


def main(event, context):
    if "queue" in event:
        return square(event)
    url = sqs.create_queue(QueueName="squares-" + context.aws_request_id)["QueueUrl"]
    try:
        for i in range(5):
            functions.invoke(
                FunctionName=context.function_name,
                InvocationType="Event",
                Payload=json.dumps({"queue": url, "i": i}),
            )
        return collect(url, 5)
    finally:
        sqs.delete_queue(QueueUrl=url)
