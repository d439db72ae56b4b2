"""boto3 and the AWS CLI as clients of `awsync serve`: outside parties that know AWS, not us.

Usage: clients.py AWSYNC json|query. The second word is the protocol of SQS that the boto3 and the CLI of this interpreter
are expected to speak: `query` until botocore 1.31.80, `json` since. Each check prints a line; the last line is
`N passed, N failed`.
"""

import datetime
import importlib.metadata
import os
import sys
import unittest.mock

import botocore.auth

import cli_checks
import lambda_checks
import sqs_checks
from party import Checks, Server, refused

check = Checks()


@check
def the_protocol_is_the_one_that_is_meant(server):
    sqs = server.client("sqs")
    seen = []
    sqs.meta.events.register("before-send.sqs", lambda request, **_: seen.append(dict(request.headers)))
    sqs.list_queues()
    assert ("X-Amz-Target" in seen[0]) == (sys.argv[2] == "json"), seen


for one in sqs_checks.ALL + lambda_checks.ALL + cli_checks.ALL:
    check(one)


class Skewed(datetime.datetime):
    """datetime.datetime, some minutes off."""

    minutes = 0

    @classmethod
    def _moved(cls, now):
        return now + datetime.timedelta(minutes=cls.minutes)

    @classmethod
    def utcnow(cls):
        return cls._moved(datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None))

    @classmethod
    def now(cls, tz=None):
        return cls._moved(datetime.datetime.now(tz))


def skewed(minutes):
    """botocore signs with a clock that is wrong by so much."""
    Skewed.minutes = minutes
    if hasattr(botocore.auth, "get_current_datetime"):  # what newer ones ask
        return unittest.mock.patch.object(
            botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: Skewed.utcnow()
        )
    module = unittest.mock.Mock(wraps=datetime)
    module.datetime = Skewed
    return unittest.mock.patch.object(botocore.auth, "datetime", module)


@check
def a_clock_that_is_off_is_told_so(server):
    for service, call, code, minutes in (
        ("sqs", lambda c: c.list_queues(), "SignatureDoesNotMatch", 16),
        ("lambda", lambda c: c.invoke(FunctionName="answers", Payload=b"1"), "InvalidSignatureException", 6),
        ("sts", lambda c: c.get_caller_identity(), "SignatureDoesNotMatch", 16),
    ):
        client = server.client(service)
        for off, words in ((-minutes, "Signature expired: "), (minutes, "Signature not yet current: ")):
            with skewed(off):
                error = refused(code, call, 403, c=client)
            assert words in error.response["Error"]["Message"], error
        with skewed(-minutes + 3):
            call(client)


def main():
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("boto3", "botocore", "awscli")))
    answers = os.path.join(os.path.dirname(os.path.abspath(__file__)), "answers.lua")
    server = Server(sys.argv[1], answers, "--timeout", "3")
    try:
        return check.run(server)
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
