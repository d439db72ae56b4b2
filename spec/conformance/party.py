"""What the parties in Python share: checks, and `awsync serve` as a child. Needs nothing but Python.

Each check of a party prints a line; the last line is `N passed, N failed`.
"""

import os
import signal
import socket
import subprocess
import time
import traceback


class Checks:
    """The checks of one script, in their order: `check = Checks()`, then `@check` before each."""

    def __init__(self):
        self.functions = []

    def __call__(self, function):
        self.functions.append(function)
        return function

    def run(self, *context):
        """Calls all with the context; returns the exit status of the script."""
        failed = 0
        for function in self.functions:
            name = function.__name__.replace("_", " ")
            try:
                function(*context)
                print(f"ok      {name}", flush=True)
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                place = traceback.extract_tb(error.__traceback__)[-1]
                print(f"FAILED  {name}: {type(error).__name__}: {error} ({place.line})", flush=True)
        print(f"{len(self.functions) - failed} passed, {failed} failed", flush=True)
        return 1 if failed else 0


class Server:
    """`awsync serve`, with the variables that it printed."""

    def __init__(self, awsync, program, *options, environment=None):
        self.process = subprocess.Popen(
            [awsync, "serve", "--quiet", *options, program],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what the functions log
            text=True,
            env=environment,
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
        """A client of boto3, whichever version this interpreter has. It tries once."""
        import boto3
        import botocore.config

        v = self.variables
        values = {
            "endpoint_url": v["AWS_ENDPOINT_URL"],
            "region_name": v["AWS_REGION"],
            "aws_access_key_id": v["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": v["AWS_SECRET_ACCESS_KEY"],
            "config": botocore.config.Config(retries={"total_max_attempts": 1}),
        }
        values.update(changes)
        return boto3.client(service, **values)

    def cli(self, python, *words, secret=None):
        """The AWS CLI of this interpreter."""
        environment = dict(os.environ, **self.variables)
        if secret is not None:
            environment["AWS_SECRET_ACCESS_KEY"] = secret
        command = os.path.join(os.path.dirname(python), "aws")
        # Version 1 of the CLI takes SQS's endpoint from its own table unless it is told one.
        words = [*words, "--endpoint-url", self.variables["AWS_ENDPOINT_URL"]]
        return subprocess.run(
            [python, command, *words], env=environment, capture_output=True, text=True, timeout=60
        )


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def refused(code, call, status=None, **arguments):
    """Calls a client of boto3, which has to raise ClientError with that code; returns the exception."""
    import botocore.exceptions

    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        answer = error.response
        assert answer["Error"]["Code"] == code, error
        assert status in (None, answer["ResponseMetadata"]["HTTPStatusCode"]), answer["ResponseMetadata"]
        return error
    raise AssertionError(f"{code} was expected")


def wait_for(what, condition, seconds=30):
    """What condition() gives as soon as that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain for " + what)
