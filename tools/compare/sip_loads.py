# tools/compare/sip_loads.py - the SIP loads by name, as flags of parley-load, and the goals they are held to.

# "mode" and "flags" go to parley-load sip; "stateful" says how the servers forward; goals are the largest allowed ratio of
# server CPU per transaction to Kamailio, as (goal, stretch). "auth": every MESSAGE carries digest credentials that the
# server checks; elsewhere only registrations do, and requests from this host are believed. In flight are 64 transactions everywhere, at most one
# MESSAGE per pair (RFC 3428 section 8).
LOADS = {
    "message-udp": {"mode": "message", "transport": "udp", "stateful": False, "users": 128,
                    "flags": ["--window", "1", "--size", "200"], "goal": {"kamailio": (0.70, 0.60)}},
    "message-udp-tm": {"mode": "message", "transport": "udp", "stateful": True, "users": 128,
                       "flags": ["--window", "1", "--size", "200"], "goal": {"kamailio": (0.45, 0.36)}},
    "message-udp-auth": {"mode": "message", "transport": "udp", "stateful": True, "users": 128, "auth": True,
                         "flags": ["--window", "1", "--size", "200"]},
    "message-tcp": {"mode": "message", "transport": "tcp", "stateful": False, "users": 128,
                    "flags": ["--window", "1", "--size", "200"]},
    "message-tcp-tm": {"mode": "message", "transport": "tcp", "stateful": True, "users": 128,
                       "flags": ["--window", "1", "--size", "200"], "goal": {"kamailio": (0.55, 0.36)}},
    "message-tls-tm": {"mode": "message", "transport": "tls", "stateful": True, "users": 128,
                       "flags": ["--window", "1", "--size", "200"]},
    "call-udp-tm": {"mode": "call", "transport": "udp", "stateful": True, "users": 128, "flags": ["--window", "1"]},
    # Each registration is challenged and answered: two transactions. Then with a nonce that is used again, where the
    # server allows it: one.
    "register-udp": {"mode": "register", "transport": "udp", "stateful": True, "users": 2000, "auth": True,
                     "flags": ["--window", "64", "--challenge-each"]},
    "refresh-udp": {"mode": "register", "transport": "udp", "stateful": True, "users": 2000, "auth": True,
                    "flags": ["--window", "64"]},
    "register-tcp": {"mode": "register", "transport": "tcp", "stateful": True, "users": 2000, "auth": True,
                     "flags": ["--window", "64", "--challenge-each"]},
    "options-udp": {"mode": "options", "transport": "udp", "stateful": False, "users": 64, "flags": ["--window", "64"]},
    # Registered, each user on a connection of its own, and then nothing: KiB of user space (PSS of the process tree).
    "idle4000-tcp": {"idle": 4000, "transport": "tcp", "stateful": True, "users": 4000, "auth": True},
    "idle4000-tls": {"idle": 4000, "transport": "tls", "stateful": True, "users": 4000, "auth": True},
}
