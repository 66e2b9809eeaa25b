"""Sends packets through a Linux packet filter and says what became of each.

judge.py PEER_NAMESPACE FIREWALL_NAMESPACE PEER_INTERFACE...

Reads lines `INDEX HEX` (index of the peer interface to send on, an Ethernet frame that ends in an eight-byte mark: SEKI and a number) and, at
the end of its input, prints a line for every packet seen: `NUMBER box|INDEX DESTINATION PORT-OR-TYPE`. A packet that is not named was stopped.
Packets that the firewall's own input path delivers are seen on raw sockets, which stand behind its filters; packets that it forwards on
the peer interfaces.
"""
import ctypes, os, select, socket, struct, sys, time

MARK = b"SEKI"
PROTOCOLS = [1, 6, 17, 47, 50, 51, 132, 136]
PROTOCOLS_V6 = [58, 6, 17, 47, 132, 136]


def enter(namespace):
    fd = os.open("/run/netns/" + namespace, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)


def roomy(sock):
    sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    sock.setblocking(False)
    return sock


def number_of(data):
    return struct.unpack("!I", data[-4:])[0] if len(data) >= 8 and data[-8:-4] == MARK else None


def detail(protocol, body):
    if protocol in (6, 17, 132, 136, 33):
        return struct.unpack("!H", body[2:4])[0]
    if protocol in (1, 58):
        return body[0] << 8 | body[1]
    return 0


peer, firewall, *names = sys.argv[1:]
enter(firewall)
inside = [(roomy(socket.socket(socket.AF_INET, socket.SOCK_RAW, p)), 4, p) for p in PROTOCOLS]
for p in PROTOCOLS_V6:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, p)
    sock.setsockopt(socket.IPPROTO_IPV6, 49, 1)  # IPV6_RECVPKTINFO
    inside.append((roomy(sock), 6, p))
enter(peer)
outside = []
for name in names:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((name, 0))
    outside.append(roomy(sock))
seen = []


def drain():
    for sock, family, protocol in inside:
        while True:
            try:
                if family == 4:
                    data, _ = sock.recvfrom(65535)
                    number, header = number_of(data), (data[0] & 15) * 4
                    target, body = socket.inet_ntoa(data[16:20]), data[header:]
                else:
                    body, extra, _, _ = sock.recvmsg(65535, 256)
                    number, target = number_of(body), "::"
                    for level, kind, value in extra:
                        if level == socket.IPPROTO_IPV6 and kind == 50:
                            target = socket.inet_ntop(socket.AF_INET6, value[:16])
            except BlockingIOError:
                break
            if number is not None:
                seen.append((number, "box", target, detail(protocol, body)))
    for index, sock in enumerate(outside):
        while True:
            try:
                data, address = sock.recvfrom(65535)
            except BlockingIOError:
                break
            number = number_of(data)
            # What leaves here is our own sending.
            if number is None or address[2] == 4:
                continue
            if data[12:14] == b"\x08\x00":
                header = 14 + (data[14] & 15) * 4
                seen.append((number, str(index), socket.inet_ntoa(data[30:34]), detail(data[23], data[header:])))
            elif data[12:14] == b"\x86\xdd":
                target = socket.inet_ntop(socket.AF_INET6, data[38:54])
                seen.append((number, str(index), target, detail(data[20], data[54:])))


count = 0
for line in sys.stdin:
    index, frame = line.split()
    outside[int(index)].send(bytes.fromhex(frame))
    count += 1
    if count % 64 == 0:
        drain()
quiet = 0
while quiet < 3:
    before = len(seen)
    time.sleep(0.01)
    drain()
    quiet = quiet + 1 if len(seen) == before else 0
for entry in seen:
    print(*entry)
