"""What any boto3 has to see of SQS, old (query protocol) or new (JSON): the checks are the same."""

import hashlib
import json
import threading
import time

from party import refused, wait_for

ACCOUNT = "123456789012"
CLASSIC = "AWS.SimpleQueueService."


class Queue:
    """A queue that is gone at the end of its `with`."""

    def __init__(self, sqs, name, **attributes):
        self.sqs, self.name = sqs, name
        self.url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.sqs.delete_queue(QueueUrl=self.url)


def receive(sqs, url, **more):
    return sqs.receive_message(QueueUrl=url, **more).get("Messages", [])


def a_message_comes_as_it_went(server):
    sqs = server.client("sqs")
    with Queue(sqs, "plain") as url:
        assert url == f"{server.variables['AWS_ENDPOINT_URL']}/{ACCOUNT}/plain", url
        assert sqs.get_queue_url(QueueName="plain")["QueueUrl"] == url
        body = "grüße <&>\"'\t\n"
        sent = sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageAttributes={
                "text": {"DataType": "String", "StringValue": "b & c"},
                "number": {"DataType": "Number.int", "StringValue": "17"},
                "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            },
        )
        assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
        got = receive(sqs, url, MessageAttributeNames=["All"], AttributeNames=["All"])
        assert [m["Body"] for m in got] == [body]
        assert got[0]["MD5OfBody"] == sent["MD5OfMessageBody"]
        assert got[0]["MessageId"] == sent["MessageId"]
        assert got[0]["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
        assert got[0]["MessageAttributes"]["text"]["StringValue"] == "b & c"
        assert got[0]["MessageAttributes"]["number"]["DataType"] == "Number.int"
        assert got[0]["MessageAttributes"]["bytes"]["BinaryValue"] == b"\x00\xff"
        assert got[0]["Attributes"]["ApproximateReceiveCount"] == "1"
        assert got[0]["Attributes"]["SenderId"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
        assert receive(sqs, url) == []


def a_fifo_queue_keeps_order_and_takes_no_doubles(server):
    sqs = server.client("sqs")
    with Queue(sqs, "line.fifo", FifoQueue="true", ContentBasedDeduplication="true") as url:
        entries = [{"Id": f"m{i}", "MessageBody": str(i), "MessageGroupId": "g"} for i in range(10)]
        first = sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert [e["Id"] for e in first["Successful"]] == [e["Id"] for e in entries] and "Failed" not in first
        numbers = [int(e["SequenceNumber"]) for e in first["Successful"]]
        assert numbers == sorted(set(numbers))
        again = sqs.send_message(QueueUrl=url, MessageBody="3", MessageGroupId="g")
        assert again["MessageId"] == first["Successful"][3]["MessageId"]
        got = receive(sqs, url, MaxNumberOfMessages=10, AttributeNames=["All"])
        assert [m["Body"] for m in got] == [str(i) for i in range(10)]
        assert {m["Attributes"]["MessageGroupId"] for m in got} == {"g"}
        assert [int(m["Attributes"]["SequenceNumber"]) for m in got] == numbers
        assert receive(sqs, url) == []
        gone = sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in got],
        )
        assert len(gone["Successful"]) == 10 and "Failed" not in gone
        refused("MissingParameter", sqs.send_message, 400, QueueUrl=url, MessageBody="no group")


def a_batch_may_fail_in_part(server):
    sqs = server.client("sqs")
    with Queue(sqs, "batch") as url:
        sent = sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": "good", "MessageBody": "1"},
                {"Id": "bad", "MessageBody": "2", "DelaySeconds": 901},
            ],
        )
        assert [e["Id"] for e in sent["Successful"]] == ["good"]
        assert [(e["Id"], e["SenderFault"]) for e in sent["Failed"]] == [("bad", True)]
        assert sent["Failed"][0]["Code"] == "InvalidParameterValue", sent["Failed"]
        handle = receive(sqs, url)[0]["ReceiptHandle"]
        changed = sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": "good", "ReceiptHandle": handle, "VisibilityTimeout": 0},
                {"Id": "bad", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0},
            ],
        )
        assert [e["Id"] for e in changed["Successful"]] == ["good"]
        assert [(e["Id"], e["Code"]) for e in changed["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]
        assert len(receive(sqs, url)) == 1


def attributes_are_set_and_read(server):
    sqs = server.client("sqs")
    with Queue(sqs, "attributes", VisibilityTimeout="7", DelaySeconds="0") as url:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "600", "VisibilityTimeout": "8"})
        sqs.send_message(QueueUrl=url, MessageBody="1")
        sqs.send_message(QueueUrl=url, MessageBody="2", DelaySeconds=900)
        receive(sqs, url)
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        wanted = {
            "QueueArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:attributes",
            "VisibilityTimeout": "8",
            "MessageRetentionPeriod": "600",
            "DelaySeconds": "0",
            "ReceiveMessageWaitTimeSeconds": "0",
            "MaximumMessageSize": "1048576",
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesNotVisible": "1",
            "ApproximateNumberOfMessagesDelayed": "1",
        }
        assert {name: got.get(name) for name in wanted} == wanted, got
        one = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        assert one["Attributes"] == {"VisibilityTimeout": "8"}
        refused("InvalidAttributeName", sqs.get_queue_attributes, 400, QueueUrl=url, AttributeNames=["Colour"])
        refused(
            "InvalidAttributeValue",
            sqs.set_queue_attributes,
            400,
            QueueUrl=url,
            Attributes={"VisibilityTimeout": "43201"},
        )


def tags_are_kept(server):
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="tagged", tags={"team": "blue", "a b": "c&d"})["QueueUrl"]
    try:
        sqs.tag_queue(QueueUrl=url, Tags={"stage": "test"})
        sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
        assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"stage": "test", "a b": "c&d"}
    finally:
        sqs.delete_queue(QueueUrl=url)


def a_long_poll_ends_when_a_message_comes(server):
    sqs = server.client("sqs")
    with Queue(sqs, "poll") as url:
        begun = time.monotonic()
        assert receive(sqs, url, WaitTimeSeconds=1) == []
        assert time.monotonic() - begun >= 1
        timer = threading.Timer(0.3, server.client("sqs").send_message, [], {"QueueUrl": url, "MessageBody": "late"})
        begun = time.monotonic()
        timer.start()
        got = receive(sqs, url, WaitTimeSeconds=20)
        timer.join()
        assert [m["Body"] for m in got] == ["late"]
        assert 0.2 < time.monotonic() - begun < 19


def what_is_not_deleted_comes_again(server):
    sqs = server.client("sqs")
    with Queue(sqs, "again", VisibilityTimeout="30") as url:
        sqs.send_message(QueueUrl=url, MessageBody="x")
        first = receive(sqs, url)[0]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=1)
        second = receive(sqs, url, WaitTimeSeconds=10, AttributeNames=["ApproximateReceiveCount"])[0]
        assert second["Attributes"]["ApproximateReceiveCount"] == "2"
        assert second["MessageId"] == first["MessageId"] and second["ReceiptHandle"] != first["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
        assert len(receive(sqs, url)) == 1


def dead_letters_go_to_their_queue(server):
    sqs = server.client("sqs")
    with Queue(sqs, "dead") as dead:
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"
        policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":"1"}' % arn
        with Queue(sqs, "source", RedrivePolicy=policy, VisibilityTimeout="0") as url:
            assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
            sqs.send_message(QueueUrl=url, MessageBody="poison")
            assert len(receive(sqs, url)) == 1
            assert receive(sqs, url) == []
            assert [m["Body"] for m in receive(sqs, dead, WaitTimeSeconds=5)] == ["poison"]


def dead_letters_come_back(server):
    sqs = server.client("sqs")
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:grave"
    policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":1}' % arn
    with Queue(sqs, "grave"), Queue(sqs, "risen", RedrivePolicy=policy, VisibilityTimeout="0") as url:
        sqs.send_message(QueueUrl=url, MessageBody="back")
        assert len(receive(sqs, url)) == 1
        assert receive(sqs, url) == []
        handle = sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=500)["TaskHandle"]
        assert [m["Body"] for m in receive(sqs, url, WaitTimeSeconds=5)] == ["back"]
        wait_for("the task", lambda: sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"] == "COMPLETED")
        assert sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]["ApproximateNumberOfMessagesMoved"] == 1
        refused(CLASSIC + "UnsupportedOperation", sqs.cancel_message_move_task, 400, TaskHandle=handle)
        refused("ResourceNotFoundException", sqs.start_message_move_task, 404, SourceArn=arn + "s")


def permissions_are_part_of_the_policy(server):
    sqs = server.client("sqs")
    with Queue(sqs, "shared") as url:
        grant = {"QueueUrl": url, "Label": "theirs", "AWSAccountIds": ["111122223333"], "Actions": ["SendMessage"]}
        sqs.add_permission(**grant)
        policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
        assert json.loads(policy)["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
        refused("InvalidParameterValue", sqs.add_permission, 400, **grant)
        sqs.remove_permission(QueueUrl=url, Label="theirs")
        assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def queues_are_listed_and_purged(server):
    sqs = server.client("sqs")
    urls = [sqs.create_queue(QueueName=f"listed-{i}")["QueueUrl"] for i in range(5)]
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="listed-", PaginationConfig={"PageSize": 2})
    assert sorted(url for page in pages for url in page.get("QueueUrls", [])) == urls
    assert sqs.list_queues(QueueNamePrefix="nobody-").get("QueueUrls", []) == []
    sqs.send_message(QueueUrl=urls[0], MessageBody="x")
    sqs.purge_queue(QueueUrl=urls[0])
    wait_for("the purge", lambda: receive(sqs, urls[0]) == [])
    error = refused(CLASSIC + "PurgeQueueInProgress", sqs.purge_queue, 403, QueueUrl=urls[0])
    assert isinstance(error, sqs.exceptions.PurgeQueueInProgress)
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def errors_have_the_class_that_the_sdk_gives_them(server):
    sqs = server.client("sqs")
    nowhere = f"{server.variables['AWS_ENDPOINT_URL']}/{ACCOUNT}/nowhere"
    for call, arguments in (
        (sqs.send_message, {"QueueUrl": nowhere, "MessageBody": "x"}),
        (sqs.receive_message, {"QueueUrl": nowhere}),
        (sqs.get_queue_url, {"QueueName": "nowhere"}),
        (sqs.delete_queue, {"QueueUrl": nowhere}),
    ):
        error = refused(CLASSIC + "NonExistentQueue", call, 400, **arguments)
        assert isinstance(error, sqs.exceptions.QueueDoesNotExist), type(error)
    with Queue(sqs, "errors", VisibilityTimeout="30") as url:
        error = refused(
            "QueueAlreadyExists", sqs.create_queue, 400, QueueName="errors", Attributes={"VisibilityTimeout": "31"}
        )
        assert isinstance(error, sqs.exceptions.QueueNameExists), type(error)
        error = refused(CLASSIC + "EmptyBatchRequest", sqs.send_message_batch, 400, QueueUrl=url, Entries=[])
        assert isinstance(error, sqs.exceptions.EmptyBatchRequest), type(error)
        twice = [{"Id": "a", "MessageBody": "x"}] * 2
        error = refused(CLASSIC + "BatchEntryIdsNotDistinct", sqs.send_message_batch, 400, QueueUrl=url, Entries=twice)
        assert isinstance(error, sqs.exceptions.BatchEntryIdsNotDistinct), type(error)
        many = [{"Id": str(i), "MessageBody": "x"} for i in range(11)]
        error = refused(
            CLASSIC + "TooManyEntriesInBatchRequest", sqs.send_message_batch, 400, QueueUrl=url, Entries=many
        )
        assert isinstance(error, sqs.exceptions.TooManyEntriesInBatchRequest), type(error)
        long = [{"Id": str(i), "MessageBody": "x" * 600000} for i in range(2)]
        error = refused(CLASSIC + "BatchRequestTooLong", sqs.send_message_batch, 400, QueueUrl=url, Entries=long)
        assert isinstance(error, sqs.exceptions.BatchRequestTooLong), type(error)
        error = refused(
            "ReceiptHandleIsInvalid", sqs.delete_message, 404, QueueUrl=url, ReceiptHandle="nonsense"
        )
        assert isinstance(error, sqs.exceptions.ReceiptHandleIsInvalid), type(error)
        error = refused("InvalidMessageContents", sqs.send_message, 400, QueueUrl=url, MessageBody="\x01")
        assert isinstance(error, sqs.exceptions.InvalidMessageContents), type(error)
        refused("InvalidParameterValue", sqs.send_message, 400, QueueUrl=url, MessageBody="x" * 1048577)
        refused("InvalidParameterValue", sqs.receive_message, 400, QueueUrl=url, MaxNumberOfMessages=11)


def strangers_are_refused(server):
    refused("SignatureDoesNotMatch", server.client("sqs", aws_secret_access_key="wrong").list_queues, 403)
    refused("InvalidClientTokenId", server.client("sqs", aws_access_key_id="AKIAIOSFODNN7EXAMPLE").list_queues, 403)
    refused("SignatureDoesNotMatch", server.client("sqs", region_name="eu-west-1").list_queues, 403)


ALL = [
    a_message_comes_as_it_went,
    a_fifo_queue_keeps_order_and_takes_no_doubles,
    a_batch_may_fail_in_part,
    attributes_are_set_and_read,
    tags_are_kept,
    a_long_poll_ends_when_a_message_comes,
    what_is_not_deleted_comes_again,
    dead_letters_go_to_their_queue,
    dead_letters_come_back,
    permissions_are_part_of_the_policy,
    queues_are_listed_and_purged,
    errors_have_the_class_that_the_sdk_gives_them,
    strangers_are_refused,
]
