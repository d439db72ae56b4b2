"""`awsync deploy`, `logs` and `delete` against moto's server, looked at by boto3; the ways by the AWS CLI and SAM.

Usage: deploy.py AWSYNC. Each check prints a line; the last line is `N passed, N failed`.
"""

import base64
import hashlib
import io
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

import boto3
import botocore.exceptions

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
REGION = "eu-west-1"
checks = []


def check(function):
    checks.append(function)
    return function


class Moto:
    """moto's server on a free port."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(300):
            try:
                urllib.request.urlopen(self.url + "/moto-api/", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("moto's server did not start")

    def variables(self):
        return {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


class Project:
    """A folder with a program, and a bootstrap that has all that a package looks at."""

    def __init__(self, awsync, moto):
        self.awsync, self.moto = awsync, moto
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        (self.folder / "squares.lua").write_text((ROOT / "examples/squares.lua").read_text())
        source = 'package.path = "./?.lua;" .. package.path io.write(require("spec.support.elf").make())'
        made = subprocess.run(["lua5.4", "-e", source], cwd=ROOT, capture_output=True, check=True)
        (self.folder / "runtime").write_bytes(made.stdout)

    def run(self, *words, status=0):
        done = subprocess.run(
            [self.awsync, *words], cwd=self.folder, env=self.moto.variables(), capture_output=True, text=True
        )
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def deploy(self, *words, status=0):
        return self.run(
            "deploy", "squares.lua", "--bootstrap", "runtime", "--name", "squares", *words, status=status
        )


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{code} was expected")


@check
def deploy_creates_the_function_with_its_role_and_no_retries(project, moto):
    arn = project.deploy("--create-role", "--memory", "256", "--timeout", "30", "--env", "TABLE=orders").strip()
    function = moto.client("lambda").get_function(FunctionName="squares")["Configuration"]
    assert function["FunctionArn"] == arn
    wanted = {
        "Runtime": "provided.al2023",
        "Handler": "squares.main",
        "MemorySize": 256,
        "Timeout": 30,
        "Architectures": ["x86_64"],
        "State": "Active",
        "Environment": {"Variables": {"TABLE": "orders"}},
        "Role": "arn:aws:iam::123456789012:role/awsync-squares",
    }
    assert {name: function[name] for name in wanted} == wanted, function
    config = moto.client("lambda").get_function_event_invoke_config(FunctionName="squares")
    assert config["MaximumRetryAttempts"] == 0


@check
def the_role_has_the_policy_of_the_tree(project, moto):
    iam = moto.client("iam")
    role = iam.get_role(RoleName="awsync-squares")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads((ROOT / "packaging/trust.json").read_text())
    policy = iam.get_role_policy(RoleName="awsync-squares", PolicyName="awsync")["PolicyDocument"]
    text = (ROOT / "packaging/policy.json").read_text()
    for place, value in {
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": "123456789012",
        "Function": "squares",
    }.items():
        text = text.replace("${" + place + "}", value)
    assert policy == json.loads(text), policy


@check
def the_code_is_what_awsync_package_makes(project, moto):
    project.run("package", "squares.lua", "--bootstrap", "runtime")
    zipped = (project.folder / "function.zip").read_bytes()
    digest = base64.b64encode(hashlib.sha256(zipped).digest()).decode()
    function = moto.client("lambda").get_function_configuration(FunctionName="squares")
    assert function["CodeSha256"] == digest
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("bootstrap").external_attr >> 16 == 0o100755
        assert archive.read("squares.lua") == (ROOT / "examples/squares.lua").read_bytes()


@check
def deploy_again_updates_and_keeps_what_it_is_not_told(project, moto):
    before = moto.client("lambda").get_function_configuration(FunctionName="squares")
    with open(project.folder / "squares.lua", "a") as program:
        program.write("-- another version\n")
    arn = project.deploy("--env", "LEVEL=debug", "--timeout", "31").strip()
    after = moto.client("lambda").get_function_configuration(FunctionName="squares")
    assert arn == before["FunctionArn"]
    assert after["CodeSha256"] != before["CodeSha256"]
    assert (after["MemorySize"], after["Timeout"], after["Role"]) == (256, 31, before["Role"])
    assert after["Environment"]["Variables"] == {"TABLE": "orders", "LEVEL": "debug"}


@check
def a_url_is_for_signers_unless_it_is_made_public(project, moto):
    client = moto.client("lambda")
    url = project.deploy("--url").splitlines()[1]
    config = client.get_function_url_config(FunctionName="squares")
    assert (config["FunctionUrl"], config["AuthType"]) == (url, "AWS_IAM")
    project.deploy("--public-url")
    assert client.get_function_url_config(FunctionName="squares")["AuthType"] == "NONE"
    statements = json.loads(client.get_policy(FunctionName="squares")["Policy"])["Statement"]
    assert {s["Action"] for s in statements} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    project.deploy("--public-url")


@check
def logs_are_printed_in_their_order(project, moto):
    logs = moto.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/squares")
    logs.create_log_stream(logGroupName="/aws/lambda/squares", logStreamName="s")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + i, "message": f"line {i}\n"} for i in range(250)]
    logs.put_log_events(logGroupName="/aws/lambda/squares", logStreamName="s", logEvents=events)
    lines = project.run("logs", "squares").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [f"line {i}" for i in range(250)]


@check
def doctor_asks_and_changes_nothing(project, moto):
    listed = len(moto.client("lambda").list_functions()["Functions"])
    done = subprocess.run(
        [project.awsync, "doctor"], cwd=project.folder, env=moto.variables(), capture_output=True, text=True
    )
    assert "ok       credentials: arn:aws:" in done.stdout, done.stdout
    assert "ok       queues: SQS answers" in done.stdout, done.stdout
    assert len(moto.client("lambda").list_functions()["Functions"]) == listed
    assert not moto.client("sqs").list_queues().get("QueueUrls")


@check
def delete_leaves_nothing(project, moto):
    out = project.run("delete", "squares", "--logs")
    assert out.splitlines()[0] == "function squares"
    refused("ResourceNotFoundException", moto.client("lambda").get_function, FunctionName="squares")
    refused("NoSuchEntity", moto.client("iam").get_role, RoleName="awsync-squares")
    assert not moto.client("logs").describe_log_groups()["logGroups"]
    project.run("delete", "squares", status=1)


@check
def a_role_of_the_users_own_is_used_and_kept(project, moto):
    iam = moto.client("iam")
    role = iam.create_role(
        RoleName="mine", AssumeRolePolicyDocument=(ROOT / "packaging/trust.json").read_text()
    )["Role"]["Arn"]
    project.deploy("--role", role)
    assert moto.client("lambda").get_function_configuration(FunctionName="squares")["Role"] == role
    assert project.run("delete", "squares") == "function squares\n"
    assert iam.get_role(RoleName="mine")["Role"]["Arn"] == role
    refused("NoSuchEntity", iam.get_role, RoleName="awsync-squares")


@check
def the_way_by_the_aws_cli_works_as_the_docs_have_it(project, moto):
    text = (ROOT / "docs/deployment.md").read_text()
    script = re.search(r"### By the AWS CLI\n.*?```\n(.*?)```", text, re.S).group(1)
    script = script.replace("awsync package squares.lua", "awsync package squares.lua --bootstrap runtime")
    script = script.replace("sleep 10", "")  # moto knows a new role at once
    prelude = (
        f'set -eu\naws() {{ "{BIN}/aws" --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }}\n'
        f'awsync() {{ "{project.awsync}" "$@"; }}\n'
    )
    (project.folder / "packaging").symlink_to(ROOT / "packaging")
    done = subprocess.run(
        ["sh", "-c", prelude + script], cwd=project.folder, env=moto.variables(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    function = moto.client("lambda").get_function_configuration(FunctionName="squares")
    assert (function["Handler"], function["State"]) == ("squares.main", "Active")
    config = moto.client("lambda").get_function_event_invoke_config(FunctionName="squares")
    assert config["MaximumRetryAttempts"] == 0
    policy = moto.client("iam").get_role_policy(RoleName="squares", PolicyName="awsync")["PolicyDocument"]
    assert "${" not in json.dumps(policy)
    assert len(policy["Statement"]) == 3


def shown_steps(text, first):
    """The commands of a page's console blocks from the one that begins so, with what it shows below each."""
    steps = []
    for block in re.findall(r"```console\n(.*?)```", text, re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    start = next(i for i, step in enumerate(steps) if step[0].startswith(first))
    return steps[start:]


@check
def the_steps_of_getting_started_are_true(project, moto):
    project.run("delete", "squares")  # of the check before
    folder = project.folder / "squares"
    folder.mkdir()
    (folder / "squares.lua").write_text((ROOT / "examples/squares.lua").read_text())
    moto.client("logs").create_log_group(logGroupName="/aws/lambda/squares")
    project.run("package", "squares/squares.lua", "--bootstrap", "runtime")  # makes the key
    prelude = f'awsync() {{ "{project.awsync}" "$@"; }}\n'
    steps = shown_steps((ROOT / "docs/getting-started.md").read_text(), "awsync doctor")
    assert len(steps) == 4, steps
    for command, shown in steps:
        script = prelude + command.replace("../awsync/build/static/bootstrap", "../runtime") + " 2>&1"
        done = subprocess.run(
            ["sh", "-c", script], cwd=folder, env=moto.variables(), capture_output=True, text=True
        )
        if command.startswith("awsync doctor"):  # whose runtime is this build's
            shown = [line for line in shown if line.startswith("ok")]
        else:
            assert done.returncode == 0, (command, done.stdout)
        for line in shown:
            pattern = "^" + re.escape(line).replace(re.escape("..."), ".*") + "$"
            assert re.search(pattern, done.stdout, re.M), (line, done.stdout)


@check
def the_sam_template_is_valid_and_has_the_policy_of_the_tree(project, moto):
    template = ROOT / "packaging/sam/template.yaml"
    done = subprocess.run(
        [BIN / "cfn-lint", "--regions", REGION, "--template", template], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    from cfnlint.decode import cfn_yaml

    properties = cfn_yaml.load(str(template))["Resources"]["Program"]["Properties"]
    assert properties["EventInvokeConfig"]["MaximumRetryAttempts"] == 0

    def plain(value):
        """Without Fn::Sub: the texts below it."""
        if isinstance(value, dict):
            return plain(value["Fn::Sub"]) if set(value) == {"Fn::Sub"} else {k: plain(v) for k, v in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    assert plain(properties["Policies"][0]) == json.loads((ROOT / "packaging/policy.json").read_text())


def main():
    moto = Moto()
    project = Project(os.path.abspath(sys.argv[1]), moto)
    failed = 0
    try:
        for function in checks:
            name = function.__name__.replace("_", " ")
            try:
                function(project, moto)
                print(f"ok      {name}")
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                print(f"FAILED  {name}: {type(error).__name__}: {error}")
    finally:
        moto.process.terminate()
        moto.process.wait(10)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
