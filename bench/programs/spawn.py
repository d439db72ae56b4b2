"""N functions, each of which hands one value to the parent. Usage: spawn.py process|pool|lithops N; prints their sum."""
import multiprocessing
import sys


def put(queue, i):
    queue.put(i)


def same(i):
    return i


def process(count):
    """A process for each value, in one queue; as many at once as the parent can start."""
    queue = multiprocessing.SimpleQueue()
    children = [multiprocessing.Process(target=put, args=(queue, i)) for i in range(1, count + 1)]
    for child in children:
        child.start()
    total = sum(queue.get() for _ in range(count))
    for child in children:
        child.join()
    return total


def pool(count):
    """A process for each core, which takes one value after the other."""
    with multiprocessing.get_context("spawn").Pool() as workers:
        return sum(workers.imap_unordered(same, range(1, count + 1)))


def lithops(count):
    """Lithops' local backend: results go by files."""
    import lithops as library

    with library.FunctionExecutor(
        backend="localhost", storage="localhost", runtime=sys.executable, log_level="ERROR"
    ) as executor:
        return sum(executor.get_result(executor.map(same, range(1, count + 1))))


if __name__ == "__main__":
    print({"process": process, "pool": pool, "lithops": lithops}[sys.argv[1]](int(sys.argv[2])))
