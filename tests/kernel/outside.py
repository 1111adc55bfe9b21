"""What workflow code must leave to activities or to `durable`, by what its author would write, and what the advice is (K7).

This is the promise, written down a second time; the engine's own table is not looked at.
"""

from __future__ import annotations

CLOCK = "durable.now() or durable.current_time()"
ADVICE = {
    CLOCK: """
        time.time() time.time_ns() time.monotonic() time.monotonic_ns() time.perf_counter() time.perf_counter_ns() time.process_time()
        time.process_time_ns() time.thread_time() time.thread_time_ns() time.localtime() time.gmtime() time.ctime()
        datetime.datetime.now() datetime.datetime.utcnow() datetime.datetime.today() datetime.date.today()
    """,
    "durable.sleep()": "time.sleep(1)",
    "durable.random()": """
        random.random() random.randrange(6) random.randint(1,6) random.choice("ab") random.choices("ab") random.sample("ab",1)
        random.shuffle([]) random.uniform(0,1) random.gauss() random.normalvariate() random.triangular() random.betavariate(1,1)
        random.expovariate(1) random.getrandbits(8) random.randbytes(8) random.seed() os.urandom(8) os.getrandom(8)
    """,
    "durable.uuid4()": "uuid.uuid1() uuid.uuid4()",
    "an activity": """
        open("x") input() io.open("x") os.open("x",0) os.listdir() os.scandir() os.mkdir("x") os.makedirs("x") os.remove("x")
        os.rename("x","y") os.stat("x") os.system("true") os.popen("true") subprocess.Popen("true") subprocess.run("true")
        subprocess.call("true") subprocess.check_call("true") subprocess.check_output("true") socket.socket()
        socket.create_connection(("x",1)) socket.getaddrinfo("x",1) threading.Thread() threading.Timer(1,print)
        secrets.token_bytes() secrets.token_hex() secrets.token_urlsafe() secrets.randbelow(6)
    """,
}
FROM_THE_SYSTEM = ["secrets.choice('ab')", "secrets.randbits(8)"]
"""Methods of a generator in the module `random`: the static look gives the advice for those, and at the call they are secrets."""
CALLS = [(call, advice) for advice, calls in ADVICE.items() for call in calls.split()]
"""Found by the static look, and refused at the call where the interpreter tells of calls."""

SEEN = [
    *((call, "durable.random()") for call in FROM_THE_SYSTEM),
    ("os.getenv('x')", "an argument"),
    ("os.environ['x']", "an argument"),
    ("id(1)", "a key of your own"),
    ("hash(1)", "a key of your own"),
    ("anyio.to_thread.run_sync(len,'')", "an activity"),
    ("anyio.open_file('x')", "an activity"),
    ("anyio.connect_tcp('x',1)", "an activity"),
    ("anyio.run_process('true')", "an activity"),
    ("trio.sleep(1)", "durable, or an activity"),
    ("trio.Event()", "durable, or an activity"),
    ("asyncio.sleep(1)", "durable, or an activity"),
    ("asyncio.get_running_loop()", "durable, or an activity"),
    ("threading.Lock()", "an activity"),
    ("threading.get_ident()", "an activity"),
    ("multiprocessing.Process()", "an activity"),
    ("concurrent.futures.ThreadPoolExecutor()", "an activity"),
    ("socket.gethostbyname('x')", "an activity"),
    ("ssl.create_default_context()", "an activity"),
    ("select.select([],[],[])", "an activity"),
    ("sqlite3.connect('x')", "an activity"),
    ("tempfile.mkdtemp()", "an activity"),
    ("shutil.rmtree('x')", "an activity"),
]
"""Found by the static look alone: libraries would call some of these for good reasons, and the others are refused by other means."""

IMPORTS = {
    "durable, or an activity": "asyncio trio",
    "durable.random()": "random",
    "an activity": """
        curio threading multiprocessing concurrent.futures socket ssl select subprocess requests httpx httpx2 aiohttp urllib3 sqlite3
        secrets tempfile shutil
    """,
}
"""Modules that a workflow function has no reason to import."""


def function_of(call: str) -> str:
    """What is called: `time.time` of `time.time()`."""
    return call.partition("(")[0].partition("[")[0]
