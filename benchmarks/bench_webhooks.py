"""Whether webhooks survive: deliveries from several senders at a steady rate, while receiver and drain are killed.

    bench_webhooks.py [--deliveries N] [--rate N] [--senders N] [--kills N]

One in a hundred is signed wrongly, one in twenty is sent twice, the receiver and the drain are killed with SIGKILL
again and again; a sender tries again what was not acknowledged, as redelivery does. At the end every accepted delivery
must stand once in the tables. Prints answer times and counts; exits with 1 when something is lost or counted twice.
"""

import argparse
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import requests
from machine import describe_machine

SECRET = "bench"
DRAIN = "from phoenix_metrics.defs.deliveries import drain; import sys, pathlib; drain(pathlib.Path(sys.argv[1]))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=500, help="deliveries a second, of all senders")
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--kills", type=int, default=4, help="of the receiver, and of the drain")
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="phoenix-bench-") as home:
        report(options, *endure(options, Path(home)), stored(Path(home)))


def endure(options: argparse.Namespace, home: Path) -> tuple[list[dict[str, object]], float]:
    """Send everything while things are killed; return what became of each request, and the seconds it took."""
    port = free_port()
    receiver = start_receiver(home, port)
    shares = [range(first, options.deliveries, options.senders) for first in range(options.senders)]
    pace = options.senders / options.rate
    started = time.perf_counter()
    with ProcessPoolExecutor(options.senders) as pool:
        sending = [pool.submit(send, port, share, pace) for share in shares]
        due = [(i + 1) * options.deliveries / options.rate / (options.kills + 1) for i in range(options.kills)]
        while not all(share.done() for share in sending):
            drain = subprocess.Popen([sys.executable, "-c", DRAIN, str(home)])
            if due and time.perf_counter() - started > due[0]:
                due.pop(0)
                drain.send_signal(signal.SIGKILL)
                receiver.kill()
                receiver.wait()
                receiver = start_receiver(home, port)
            drain.wait()
        answers = [answer for share in sending for answer in share.result()]
    seconds = time.perf_counter() - started
    receiver.terminate()
    receiver.wait()
    subprocess.run([sys.executable, "-c", DRAIN, str(home)], check=True)
    return answers, seconds


def send(port: int, numbers: range, pace: float) -> list[dict[str, object]]:
    """Send some deliveries at a pace, each until it is answered; return status and seconds of every answer."""
    luck = random.Random(numbers.start)
    session = requests.Session()
    answers = []
    begun = time.perf_counter()
    for place, number in enumerate(numbers):
        time.sleep(max(begun + place * pace - time.perf_counter(), 0))
        is_forged = luck.random() < 0.01
        for _ in range(2 if luck.random() < 0.05 else 1):
            answers.append({"number": number, "forged": is_forged, **deliver(session, port, number, is_forged)})
    return answers


def deliver(session: requests.Session, port: int, number: int, is_forged: bool) -> dict[str, object]:
    """Send one delivery until there is an answer."""
    body = json.dumps(payload(number)).encode()
    key = b"forged" if is_forged else SECRET.encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "workflow_run",
        "X-GitHub-Delivery": f"d-{number}",
        "X-Hub-Signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
    }
    tries = 0
    while True:
        tries += 1
        started = time.perf_counter()
        try:
            answer = session.post(f"http://127.0.0.1:{port}/github", data=body, headers=headers, timeout=10)
        except requests.RequestException:
            time.sleep(0.1)
            continue
        return {"status": answer.status_code, "seconds": time.perf_counter() - started, "tries": tries}


def payload(number: int) -> dict[str, object]:
    """Return the completion of a run, of the size that GitHub sends."""
    repository = {"id": 1, "full_name": "acme/shop", "default_branch": "main", "private": True, "text": "x" * 3000}
    run = {
        "id": number + 1,
        "run_attempt": 1,
        "workflow_id": 10,
        "status": "completed",
        "conclusion": "success",
        "created_at": "2026-03-02T10:00:00Z",
        "updated_at": "2026-03-02T10:10:00Z",
        "repository": repository,
    }
    return {"action": "completed", "workflow_run": run, "repository": repository}


def start_receiver(home: Path, port: int) -> subprocess.Popen[bytes]:
    """Start `phoenix webhooks` and wait until it answers."""
    settings = {"PHOENIX_HOME": str(home), "PHOENIX_WEBHOOK_PORT": str(port), "PHOENIX_WEBHOOK_SECRET": SECRET}
    command = [sys.executable, "-m", "phoenix_metrics.cli", "webhooks"]
    process = subprocess.Popen(command, env={**os.environ, **settings})
    while True:
        try:
            requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
            return process
        except requests.RequestException:
            time.sleep(0.05)


def stored(home: Path) -> tuple[int, int, int]:
    """Return how many deliveries, distinct deliveries and runs stand in the tables."""
    from phoenix_metrics.warehouse.models import load_models
    from phoenix_metrics.warehouse.staging import load_landing
    from phoenix_metrics.warehouse.store import scalar, writing

    with writing(home) as connection:
        load_landing(connection, home, load_models())
        return (
            scalar(connection, "select count(*) from staging.github_deliveries"),
            scalar(connection, "select count(distinct delivery_id) from staging.github_deliveries"),
            scalar(connection, "select count(*) from staging.github_run_attempts"),
        )


def report(
    options: argparse.Namespace, answers: list[dict[str, object]], seconds: float, found: tuple[int, int, int]
) -> None:
    """Print the figures; exit with 1 when something is lost or counted twice."""
    accepted = {answer["number"] for answer in answers if answer["status"] in (200, 202)}
    forged = {answer["number"] for answer in answers if answer["forged"]}
    times = sorted(1000 * float(str(answer["seconds"])) for answer in answers if answer["tries"] == 1)
    tried_again = sum(answer["tries"] != 1 for answer in answers)
    cuts = statistics.quantiles(times, n=1000)
    print(f"{len(answers):,} requests of {options.senders} senders in {seconds:.1f} s ({len(answers) / seconds:.0f}/s)")
    print(f"{len(accepted):,} deliveries accepted, {len(forged):,} signed wrongly, {tried_again:,} tried again")
    print(f"answer time ms: p50 {cuts[499]:.1f}, p99 {cuts[989]:.1f}, max {times[-1]:.1f}")
    print(f"stored: {found[0]:,} deliveries, {found[1]:,} distinct, {found[2]:,} runs")
    is_whole = found == (len(accepted), len(accepted), len(accepted)) and not accepted & forged
    print("every accepted delivery counted once" if is_whole else "LOST OR COUNTED TWICE")
    sys.exit(0 if is_whole else 1)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
