"""Many visitors at once, as the server meets them: no browser, only Streamlit's own messages over websockets.

`python -m benchmarks.sessions ADDRESS SESSIONS CHANGES` prints {"seconds": [...], "errors": [...]} as JSON.
"""

import asyncio
import json
import random
import sys
import time

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

LENGTHS = ("50", "100", "200")
EVERY = 2.0  # seconds between a visitor's changes
PATIENCE = 30.0  # seconds after which an answer counts as lost
DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


class Visitor:
    """One session: what it has been sent that it can change, and how long its changes took."""

    def __init__(self, socket: ClientConnection):
        self.socket, self.asked = socket, 0
        self.widgets, self.fragment, self.page = {}, "", ""
        self.seconds, self.errors = [], []

    async def run(self, message: BackMsg) -> float:
        """Ask for a run; seconds until it has finished."""
        start = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            kind = answer.WhichOneof("type")
            if kind == "delta":
                self.take(answer.delta)
            elif kind == "new_session":
                self.page = answer.new_session.page_script_hash
            elif kind == "script_finished":
                if answer.script_finished not in DONE:
                    self.errors.append(f"script_finished: {answer.script_finished}")
                return time.perf_counter() - start

    def take(self, delta) -> None:
        """Remember the widgets that can be changed, and what went wrong."""
        element = delta.new_element
        kind = element.WhichOneof("type") if delta.HasField("new_element") else ""
        if kind == "exception":
            self.errors.append(element.exception.message)
        elif kind == "slider":
            self.widgets["slider"] = element.slider.id
        elif kind == "bidi_component":
            self.widgets["stage"], self.fragment = element.bidi_component.id, delta.fragment_id
            data = json.loads(element.bidi_component.bytes)
            if data["problem"] or data["asked"] != self.asked:
                self.errors.append(data["problem"] or f"answer to {data['asked']} in place of {self.asked}")

    def change(self) -> BackMsg:
        """In turn the weight scale and the length; or the floor's slider."""
        message = BackMsg()
        message.rerun_script.page_script_hash = self.page
        states = message.rerun_script.widget_states.widgets
        if "stage" not in self.widgets:
            states.add(id=self.widgets["slider"]).double_array_value.data.append(random.randrange(1000))
        elif len(self.seconds) % 2:
            states.add(id=self.widgets["slider"]).string_array_value.data.append(random.choice(LENGTHS))
        else:
            self.asked += 1
            ask = {"id": self.asked, "live": False, "visible": ["norms", "states"], "theme": "light"}
            ask["changes"] = {"weight_scale": round(random.uniform(0.5, 2), 3)}
            states.add(id=self.widgets["stage"]).json_value = json.dumps({"ask": ask})
            message.rerun_script.fragment_id = self.fragment
        return message


async def visit(address: str, wait: float, changes: int) -> Visitor:
    """Open the page, then change something every two seconds."""
    await asyncio.sleep(wait)
    async with connect(f"{address.replace('http', 'ws')}/_stcore/stream", max_size=None) as socket:
        visitor = Visitor(socket)
        try:
            first = BackMsg()
            first.rerun_script.widget_states.SetInParent()
            await visitor.run(first)
            for _ in range(changes):
                await asyncio.sleep(EVERY)
                visitor.seconds.append(await visitor.run(visitor.change()))
        except Exception as problem:
            visitor.errors.append(repr(problem))
        return visitor


async def main(address: str, sessions: int, changes: int) -> None:
    waits = [EVERY * session / sessions for session in range(sessions)]
    visitors = await asyncio.gather(*(visit(address, wait, changes) for wait in waits))
    seconds = [each for visitor in visitors for each in visitor.seconds]
    print(json.dumps({"seconds": seconds, "errors": [each for visitor in visitors for each in visitor.errors]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
