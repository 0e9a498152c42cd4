# tools/compare/loads.py - the loads of docs/performance.md by name, as flags of parley-load, and the goals they are held to.

# pairs, window and size go to parley-load; goals are the largest allowed ratio of server CPU per message
# (latency1: of p50 and p99 latency) to a peer, as (goal, stretch).
LOADS = {
    "w1-100": {"pairs": 50, "window": 1, "size": 100, "goal": {"kamailio": (0.55, 0.50), "haproxy": (1.00, 0.92)}},
    "w1-1k": {"pairs": 50, "window": 1, "size": 1024, "goal": {"kamailio": (0.55, 0.50), "haproxy": (1.00, 0.92)}},
    "w16-100": {"pairs": 50, "window": 16, "size": 100, "goal": {"kamailio": (1 / 15, 1 / 20), "haproxy": (1.00, 0.80)}},
    "w16-1k": {"pairs": 50, "window": 16, "size": 1024, "goal": {"kamailio": (1 / 13, 1 / 17), "haproxy": (1.00, 0.80)}},
    "w16-10k": {"pairs": 50, "window": 16, "size": 10000,
                "goal": {"kamailio": (1 / 5.5, 1 / 7), "haproxy": (0.85, 0.65)}},
    # Kamailio's largest body is 10,240 bytes (MSRP_MAX_BODY_SIZE in its source), so it has no part in these two.
    "c64k-w1": {"pairs": 50, "window": 1, "size": 65536, "servers": ("haproxy", "parleyd"),
                "goal": {"haproxy": (0.75, 0.60)}},
    "c64k-w4": {"pairs": 50, "window": 4, "size": 65536, "servers": ("haproxy", "parleyd"),
                "goal": {"haproxy": (0.60, 0.45)}},
    # A byte relay does no TLS.
    "tls-w1-1k": {"pairs": 50, "window": 1, "size": 1024, "tls": True, "servers": ("kamailio", "parleyd"),
                  "goal": {"kamailio": (0.65, 0.58)}},
    "tls-w16-1k": {"pairs": 50, "window": 16, "size": 1024, "tls": True, "servers": ("kamailio", "parleyd"),
                   "goal": {"kamailio": (1 / 6, 1 / 9)}},
    "pairs4500": {"pairs": 4500, "window": 1, "size": 100, "warmup": 1.5,
                  "goal": {"kamailio": (0.70, 0.60), "haproxy": (1.00, 0.85)}},
    # Connections that did AUTH and then nothing: memory per connection, KiB of user space (PSS of the process tree).
    "idle4000": {"idle": 4000, "size": 0, "servers": ("kamailio", "parleyd"), "goal_memory_kib": 1.5},
    "tls-idle4000": {"idle": 4000, "size": 0, "tls": True, "servers": ("kamailio", "parleyd"), "goal_memory_kib": 22},
    "latency1": {"pairs": 1, "window": 1, "size": 100, "latency": True,
                 "goal_p50": {"kamailio": (0.95, 0.80)}, "goal_p99": {"kamailio": (1.00, 1.00)}},
}
