"""N values through a queue by boto3, one message in each request. Usage: push_pop.py fresh|one N

fresh: a new client for each call, as the program does that AWSync replaces; one: one client for all. Prints the
milliseconds for pushing and popping N values, without those for making and deleting the queue.
"""
import json
import sys
import time
import uuid

import boto3

fresh, count = sys.argv[1] == "fresh", int(sys.argv[2])
shared = boto3.client("sqs")


def client():
    return boto3.client("sqs") if fresh else shared


def push(url, value):
    client().send_message(QueueUrl=url, MessageBody=json.dumps(value))


def pop(url):
    while True:
        answer = client().receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            client().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return json.loads(message["Body"])


queue = shared.create_queue(QueueName="bench-" + uuid.uuid4().hex[:12])["QueueUrl"]
began = time.perf_counter()
for i in range(count):
    push(queue, i)
total = sum(pop(queue) for _ in range(count))
elapsed = time.perf_counter() - began
assert total == count * (count - 1) // 2
shared.delete_queue(QueueUrl=queue)
print(elapsed * 1000)
