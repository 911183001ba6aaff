"""Readers of the dashboard without a browser, so that what they wait is the server's share and not a browser's.

    streamlit_reader.py ADDRESS [--readers N] [--seconds N] [--pause N]

Each reader opens the Overview over the websocket that Streamlit's own page opens, in Streamlit's own messages, and then
chooses another time range nine times; then it comes anew, until the time is over. Before each page it pauses for so
many seconds on average, from none to twice as many. Prints as JSON the seconds until each first and each following page
stood, and what went wrong with any. A page stands once the script has run to its end. It is wrong if it holds an
exception, says that it cannot be drawn, lacks its last line, or is not of another period than the one before. What a
browser does by a timer, looking for newer data every 30 seconds, is left out.
"""

import argparse
import asyncio
import json
import random
import time
from dataclasses import asdict, dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.asyncio.client import ClientConnection, connect

RANGES = ("30 days", "60 days", "90 days", "180 days")  # a store that was built weeks ago has runs in them
DEFAULT = RANGES[0]  # of the first page
PERIOD, LAST_LINE, FAULT = "Runs created ", "known to be missing", "This page cannot be drawn"
CHOICES = 9  # of a visit
PATIENCE = 120  # seconds that a page may take


@dataclass
class Waited:
    """What the readers waited, in seconds, and what went wrong."""

    first: list[float] = field(default_factory=list)
    following: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    processor_seconds: float = 0.0  # of the readers themselves


class Reader:
    """A reader's side of a session: the connection, and what a browser would keep of the pages before."""

    def __init__(self, connection: ClientConnection, waited: Waited) -> None:
        self._connection = connection
        self._waited = waited
        self._page = self._range_choice = self._period = ""
        self._large: dict[str, ForwardMsg] = {}  # messages that the server may name instead of sending them again

    async def open(self) -> None:
        """Ask for the Overview as the browser does that comes by its address."""
        self._waited.first.append(await self._ask(ClientState()))

    async def choose(self, option: str) -> None:
        """Choose a time range."""
        chosen = WidgetStates(widgets=[WidgetState(id=self._range_choice, string_value=option)])
        state = ClientState(
            query_string="" if option == DEFAULT else f"range={option.replace(' ', '+')}",
            widget_states=chosen,
            page_script_hash=self._page,
            cached_message_hashes=self._large,
        )
        self._waited.following.append(await self._ask(state))

    async def _ask(self, state: ClientState) -> float:
        """Let the script run, note what is wrong with the page, and return the seconds that it took."""
        state.context_info.timezone = "UTC"
        started = time.perf_counter()
        await self._connection.send(BackMsg(rerun_script=state).SerializeToString())
        texts, faults = [], []
        async with asyncio.timeout(PATIENCE):
            while not is_end(message := await self._receive()):
                if message.WhichOneof("type") == "navigation":
                    self._page = message.navigation.page_script_hash
                elif message.delta.WhichOneof("type") == "new_element":
                    element = message.delta.new_element
                    texts.append(text_of(element))
                    faults += faults_of(element)
                    if element.selectbox.query_param_key == "range":
                        self._range_choice = element.selectbox.id
        taken = time.perf_counter() - started
        if message.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
            faults.append(ForwardMsg.ScriptFinishedStatus.Name(message.script_finished))
        lacks = self._lacks(texts)
        self._waited.faults += faults or lacks
        return taken

    async def _receive(self) -> ForwardMsg:
        data = await self._connection.recv(decode=False)
        message = ForwardMsg.FromString(data)
        if message.WhichOneof("type") == "ref_hash":
            return self._large[message.ref_hash]
        if message.metadata.cacheable:
            self._large[message.hash] = message
        return message

    def _lacks(self, texts: list[str]) -> list[str]:
        """Return what a whole page has and this one has not."""
        before, self._period = self._period, next((text for text in texts if text.startswith(PERIOD)), "")
        if not any(LAST_LINE in text for text in texts):
            return [f"the page ends before its last line: {texts[-1:]}"]
        return [f"the page is as before: {before}"] if self._period == before else []


def is_end(message: ForwardMsg) -> bool:
    """Whether the script has run to its end; not if it begins again by itself, having met newer data."""
    is_finished = message.WhichOneof("type") == "script_finished"
    return is_finished and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN


def text_of(element: Element) -> str:
    """Return the text of an element that is one."""
    return element.markdown.body if element.WhichOneof("type") == "markdown" else ""


def faults_of(element: Element) -> list[str]:
    """Return what an element says went wrong."""
    if element.WhichOneof("type") == "exception":
        return [f"{element.exception.type}: {element.exception.message}"]
    return [element.alert.body] if FAULT in element.alert.body else []


async def read(address: str, readers: int, seconds: float, pause: float) -> Waited:
    """Let so many readers read at once for so long, and return what they waited."""
    waited, until = Waited(), time.perf_counter() + seconds
    await asyncio.gather(*(read_on(address, waited, until, pause, random.Random(number)) for number in range(readers)))
    waited.processor_seconds = time.process_time()
    return waited


async def read_on(address: str, waited: Waited, until: float, pause: float, dice: random.Random) -> None:
    """Visit the dashboard again and again until the time is over, at least once."""
    await asyncio.sleep(dice.uniform(0, 2 * pause))
    await visit(address, waited, until, pause, dice)
    while time.perf_counter() < until:
        await asyncio.sleep(dice.uniform(0, 2 * pause))
        await visit(address, waited, until, pause, dice)


async def visit(address: str, waited: Waited, until: float, pause: float, dice: random.Random) -> None:
    """Open the Overview in a session of its own and choose other time ranges, until the time is over."""
    stream = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    async with connect(stream, subprotocols=["streamlit"], origin=address, max_size=None, proxy=None) as connection:
        reader, chosen = Reader(connection, waited), DEFAULT
        await reader.open()
        for _ in range(CHOICES):
            if time.perf_counter() > until:
                break
            await asyncio.sleep(dice.uniform(0, 2 * pause))
            chosen = dice.choice([option for option in RANGES if option != chosen])
            await reader.choose(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--readers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pause", type=float, default=0)
    options = parser.parse_args()
    waited = asyncio.run(read(options.address, options.readers, options.seconds, options.pause))
    print(json.dumps(asdict(waited)))


if __name__ == "__main__":
    main()
