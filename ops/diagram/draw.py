"""Where everything goes: queues above, services in their network below them, what they use at the bottom.

Services stand in the order in which the data passes them, each under the queue that it receives from.
Lines between services and stores run through channels of their own, so that none covers another.
"""

from ops.diagram.producers import producers_of
from ops.diagram.surroundings import network_lines, network_title, watching_lines
from ops.diagram.svg import COLOURS, Box, Canvas, height_of
from ops.diagram.system import Flow, Node, System
from ops.diagram.templates import Templates

_MARGIN, _GAP = 30, 36
_QUEUE, _SERVICE, _STORE, _PANEL = 215, 466, 212, 390
_TOP = 96
_CHANNEL = 13
# More would not fit over the queue.
_PRODUCERS_NAMED = 3
_STORE_ORDER = ("host", "bus", "secret", "table", "bucket")


class Drawing:
    """One environment's page; `render` gives the SVG text."""

    def __init__(self, system: System, templates: Templates) -> None:
        self._system, self._templates = system, templates
        self._services = _in_order_of_data(system)
        self._boxes: dict[str, Box] = {}

    def render(self) -> str:
        system = self._system
        stores = self._stores()
        columns = len(self._services) * (_SERVICE + _GAP)
        width = max(
            _MARGIN * 2 + columns + _PANEL + _GAP * 2,
            _MARGIN * 2 + len(stores) * (_STORE + _GAP) + _GAP,
        )
        queue_y = _TOP + 56
        service_y = queue_y + self._tallest("queue") + 120
        tall = self._tallest("service")
        network = tuple(network_lines(self._templates))
        tall = max(tall, height_of(network))
        used = [flow for flow in system.flows if flow.node in {node.id for node in stores}]
        store_y = service_y + tall + 70 + _CHANNEL * len(used)
        watching = tuple(watching_lines(self._templates))
        watch_y = store_y + max(height_of(node.lines) for node in stores) + 50
        page = Canvas(width=width, height=watch_y + height_of(watching) + 48)
        page.heading(
            _MARGIN,
            34,
            f"export processing: {system.environment}",
            "Drawn from the synthesized templates; arrows follow the data that each task role lets move.",
        )
        account = Box(_MARGIN, _TOP, width - 2 * _MARGIN, page.height - _TOP - 16)
        page.frame(account, f"AWS account {system.target}", dashed=False)
        self._draw_services(page, service_y, tall, network)
        self._draw_queues(page, queue_y)
        self._draw_stores(page, stores, store_y)
        self._draw_queue_flows(page)
        self._draw_store_flows(page, used, service_y + tall + 36)
        page.node(
            Box(_MARGIN + _GAP, watch_y, width - 2 * (_MARGIN + _GAP), height_of(watching)),
            "panel",
            "watching",
            watching,
        )
        return page.render()

    def _tallest(self, kind: str) -> float:
        return max(height_of(node.lines) for node in self._system.of_kind(kind))

    def _stores(self) -> list[Node]:
        """The services' neighbours besides queues: outsiders first, then by how far along the data is."""
        order = {service.id: index for index, service in enumerate(self._services)}

        def key(node: Node) -> tuple[int, float, str]:
            users = [order[flow.service] for flow in self._system.flows if flow.node == node.id]
            return _STORE_ORDER.index(node.kind), sum(users) / max(len(users), 1), node.title

        used = {flow.node for flow in self._system.flows}
        return sorted((node for node in self._system.of_kind(*_STORE_ORDER) if node.id in used), key=key)

    def _draw_services(self, page: Canvas, y: float, tall: float, network: tuple[str, ...]) -> None:
        for index, service in enumerate(self._services):
            box = Box(_MARGIN + _GAP + index * (_SERVICE + _GAP), y, _SERVICE, height_of(service.lines))
            self._boxes[service.id] = box
            page.node(box, "service", service.title, service.lines)
        left = _MARGIN + _GAP + len(self._services) * (_SERVICE + _GAP)
        panel = Box(left, y, page.width - left - _MARGIN - _GAP, height_of(network))
        page.node(panel, "panel", "network", network)
        page.frame(
            Box(_MARGIN + 16, y - 34, page.width - 2 * _MARGIN - 32, tall + 54),
            network_title(self._templates),
            stroke="#6a4bb0",
        )

    def _draw_queues(self, page: Canvas, y: float) -> None:
        for service in self._services:
            column = self._boxes[service.id]
            x = column.x
            for queue in self._received_by(service):
                box = Box(x, y, _QUEUE, height_of(queue.lines))
                self._boxes[queue.id] = box
                page.node(box, "queue", queue.title, queue.lines)
                x = box.right + _GAP
                dead = self._system.dead_letters.get(queue.id)
                if dead:
                    node = self._system.nodes[dead]
                    self._boxes[dead] = Box(x, y, _QUEUE, height_of(node.lines))
                    page.node(self._boxes[dead], "dead-letters", node.title, node.lines)
                    page.arrow([(box.right, y + 30), (x, y + 30)], "out", COLOURS["dead-letters"][1])
                    x += _QUEUE + _GAP

    def _received_by(self, service: Node) -> list[Node]:
        return [
            self._system.nodes[flow.node]
            for flow in self._system.flows
            if flow.service == service.id
            and flow.way != "out"
            and self._system.nodes[flow.node].kind == "queue"
        ]

    def _draw_stores(self, page: Canvas, stores: list[Node], y: float) -> None:
        free = page.width - 2 * (_MARGIN + _GAP) - len(stores) * _STORE
        step = _STORE + free / max(len(stores) - 1, 1)
        for index, node in enumerate(stores):
            box = Box(_MARGIN + _GAP + index * step, y, _STORE, height_of(node.lines))
            self._boxes[node.id] = box
            page.node(box, node.kind, node.title, node.lines, dashed=node.outside)

    def _draw_queue_flows(self, page: Canvas) -> None:
        produced = {flow.node for flow in self._system.flows if flow.label == "sends"}
        for flow in self._system.flows:
            node = self._system.nodes[flow.node]
            if node.kind != "queue" or flow.node not in self._boxes:
                continue
            service, queue = self._boxes[flow.service], self._boxes[flow.node]
            colour = COLOURS["queue"][1]
            above = service.x <= queue.middle <= service.right
            if above:
                points = [(queue.middle, queue.bottom), (queue.middle, service.y)]
                way = {"in": "out", "out": "in"}.get(flow.way, flow.way)
                page.arrow(points, way, colour)
                page.label(queue.middle + 8, queue.bottom + 40, flow.label)
            else:
                turn = service.y - 60
                start = (service.right - 40, service.y)
                end = (queue.x + 40, queue.bottom)
                page.arrow([start, (start[0], turn), (end[0], turn), end], "out", colour)
                page.label(start[0] + 8, turn - 6, flow.label)
        for consumer in self._services:
            for received in self._received_by(consumer):
                if received.id not in produced:
                    first = self._boxes[received.id]
                    page.arrow(
                        [(first.middle, _TOP - 14), (first.middle, first.y)], "out", COLOURS["host"][1]
                    )
                    stack, _, logical_id = received.id.partition("/")
                    named = producers_of(self._templates, (stack, logical_id))
                    who = ", ".join(named[:_PRODUCERS_NAMED]) + (" …" if named[_PRODUCERS_NAMED:] else "")
                    page.label(first.middle + 8, first.y - 22, f"{who or 'producers'} send")

    def _draw_store_flows(self, page: Canvas, flows: list[Flow], first: float) -> None:
        """Every flow leaves its service at a port, runs along its own channel, and goes down to its store."""
        by_store: dict[str, list[Flow]] = {}
        by_service: dict[str, list[Flow]] = {}
        for flow in sorted(flows, key=lambda flow: (self._boxes[flow.node].x, self._boxes[flow.service].x)):
            by_store.setdefault(flow.node, []).append(flow)
            by_service.setdefault(flow.service, []).append(flow)
        channels = {flow: first + index * _CHANNEL for index, flow in enumerate(self._channel_order(flows))}
        for flow in flows:
            service, store = self._boxes[flow.service], self._boxes[flow.node]
            leaving, arriving = by_service[flow.service], by_store[flow.node]
            x = service.x + service.width * (leaving.index(flow) + 1) / (len(leaving) + 1)
            end = store.x + store.width * (arriving.index(flow) + 1) / (len(arriving) + 1)
            y = channels[flow]
            colour = COLOURS[self._system.nodes[flow.node].kind][1]
            page.arrow([(x, service.bottom), (x, y), (end, y), (end, store.y)], flow.way, colour)
            # Two labels over one store keep apart by standing outside their lines.
            outer = arriving.index(flow) == 0 and len(arriving) > 1
            page.label(
                end - 6 if outer else end + 6, store.y - 10, flow.label, anchor="end" if outer else "start"
            )

    def _channel_order(self, flows: list[Flow]) -> list[Flow]:
        """Flows to the left take the upper channels from left to right, flows to the right the lower ones."""

        def key(flow: Flow) -> tuple[float, float]:
            service, store = self._boxes[flow.service], self._boxes[flow.node]
            leftward = store.middle < service.middle
            return (self._boxes[flow.service].x, store.middle if leftward else 1e6 - store.middle)

        return sorted(flows, key=key)


def _in_order_of_data(system: System) -> list[Node]:
    """Services in the order in which one's queue feeds the next."""
    services = system.of_kind("service")
    sends = {(flow.service, flow.node) for flow in system.flows if flow.label == "sends"}
    receives = {(flow.service, flow.node) for flow in system.flows if flow.label.startswith("receives")}

    def upstream(service: Node, seen: frozenset[str] = frozenset()) -> int:
        before = [
            other
            for other in services
            for sender, queue in sends
            if sender == other.id and (service.id, queue) in receives and other.id not in seen | {service.id}
        ]
        return max((1 + upstream(other, seen | {service.id}) for other in before), default=0)

    return sorted(services, key=lambda service: (upstream(service), service.title))
