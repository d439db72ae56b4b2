"""N asynchronous calls of a function by boto3. Usage: invoke.py FUNCTION N THREADS; prints milliseconds."""
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

function, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = boto3.client("lambda", config=Config(max_pool_connections=threads))


def call(_):
    client.invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")


call(0)  # the first connection
began = time.perf_counter()
if threads == 1:
    for i in range(count):
        call(i)
else:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(call, range(count)))
print((time.perf_counter() - began) * 1000)
