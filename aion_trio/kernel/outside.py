"""The calls that would not be the same on replay, by the names that people know them by, and what to use instead (K7).

Two look by this table: `static_look` before a workflow ever runs, and `monitoring` at the call.
"""

from __future__ import annotations

ACTIVITY = "an activity"
CLOCK = "durable.now() or durable.current_time()"
_BY_ADVICE = {
    CLOCK: (
        "time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns time.process_time "
        "time.process_time_ns time.thread_time time.thread_time_ns time.localtime time.gmtime time.ctime "
        "datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today"
    ),
    "durable.sleep()": "time.sleep",
    "durable.random()": (
        "random.random random.randrange random.randint random.choice random.choices random.sample random.shuffle random.uniform "
        "random.gauss random.normalvariate random.triangular random.betavariate random.expovariate random.getrandbits "
        "random.randbytes random.seed os.urandom os.getrandom"
    ),
    "durable.uuid4()": "uuid.uuid1 uuid.uuid4",
    ACTIVITY: (
        "builtins.input io.open os.open os.listdir os.scandir os.mkdir os.makedirs os.remove os.rename os.stat os.system os.popen "
        "subprocess.Popen subprocess.run subprocess.call subprocess.check_call subprocess.check_output "
        "socket.socket socket.create_connection socket.getaddrinfo threading.Thread threading.Timer "
        "secrets.token_bytes secrets.token_hex secrets.token_urlsafe secrets.choice secrets.randbelow secrets.randbits"
    ),
}
CALLS = {name: advice for advice, names in _BY_ADVICE.items() for name in names.split()}
