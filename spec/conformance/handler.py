"""A function in Python for bootstrap.py: its event says what it is to do."""

import os
import sys
import time


class SoldOut(Exception):
    pass


if os.environ.get("BROKEN"):
    raise ValueError("broken at import")


def main(event, context):
    act = event.get("act")
    if act == "raise":
        raise SoldOut(event["text"])
    if act == "exit":
        os._exit(event["status"])
    if act == "hang":
        time.sleep(60)
    if act == "print":
        print(event["text"])
        sys.stdout.flush()
    if act == "context":
        return {
            "id": context.aws_request_id,
            "name": context.function_name,
            "version": context.function_version,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "group": context.log_group_name,
            "stream": context.log_stream_name,
            "remaining": context.get_remaining_time_in_millis(),
        }
    return event
